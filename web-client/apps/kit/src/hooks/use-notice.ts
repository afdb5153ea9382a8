/** The one short message at the foot of the page, gone by itself after a while. */

import { useCallback, useEffect, useState } from "react";

export interface NoticeContent {
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const shownMilliseconds = 10_000;

export function useNotice(): [NoticeContent | undefined, (content: NoticeContent) => void, () => void] {
  const [notice, setNotice] = useState<NoticeContent>();
  const dismiss = useCallback(() => setNotice(undefined), []);
  useEffect(() => {
    if (notice === undefined) {
      return;
    }
    const timer = setTimeout(dismiss, shownMilliseconds);
    return () => clearTimeout(timer);
  }, [notice, dismiss]);
  return [notice, setNotice, dismiss];
}
