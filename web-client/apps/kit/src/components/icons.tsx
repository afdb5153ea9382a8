/** The drawn signs; each is silent to screen readers, because its button has a name. */

import type { ReactNode } from "react";

const paths = {
  back: <path d="M12.5 4.5 7 10l5.5 5.5" />,
  bin: <path d="M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10M8.5 9v4.5M11.5 9v4.5" />,
  bold: <path d="M6 4h5a3 3 0 0 1 0 6H6zm0 6h5.5a3 3 0 0 1 0 6H6z" />,
  bullets: <path d="M8.5 5.5H17M8.5 10H17M8.5 14.5H17M4 5.5h.01M4 10h.01M4 14.5h.01" />,
  code: <path d="m7 6-4 4 4 4M13 6l4 4-4 4" />,
  heading: <path d="M3.5 4.5v11M10.5 4.5v11M3.5 10h7M14 9l2.5-1.8v8.3" />,
  italic: <path d="M12 4 8.5 16M9.5 4H15M5.5 16H11" />,
  numbers: <path d="M8.5 5.5H17M8.5 10H17M8.5 14.5H17M3 4.5l1.3-.7V8M3 12.2c.4-.8 2.2-.8 2.2.3 0 .9-2.2 1.4-2.2 2.7h2.3" />,
  offline: <path d="M5.5 14.5a3 3 0 0 1 .2-6A4.5 4.5 0 0 1 14 8a3.3 3.3 0 0 1 .8 6.4M3.5 3.5l13 13" />,
  pin: <path d="M7.5 3.5h5l-.6 5 2.6 2.5v1.5h-9V11l2.6-2.5zM10 12.5v4" />,
  plus: <path d="M10 4v12M4 10h12" />,
  quote: <path d="M4 4.5v11M8 6h8M8 10h8M8 14h5" />,
  redo: <path d="M13 4.5 16.5 8 13 11.5M16 8H8a4 4 0 0 0 0 8h2" />,
  subheading: <path d="M3 4.5v11M9.5 4.5v11M3 10h6.5M13 9.5c.2-2.6 3.9-2.5 3.9 0 0 2-3.9 3.2-3.9 6H17" />,
  undo: <path d="M7 4.5 3.5 8 7 11.5M4 8h8a4 4 0 0 1 0 8h-2" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      {paths[name]}
    </svg>
  );
}

/** The app's own sign. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path d="M9 9.5h14M9 15.5h14M9 21.5h8" />
    </svg>
  );
}
