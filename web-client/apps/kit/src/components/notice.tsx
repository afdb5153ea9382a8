/** The short message at the foot of the page, with one thing to do about it. */

import type { NoticeContent } from "../hooks/use-notice";

interface NoticeProps {
  readonly notice: NoticeContent | undefined;
  readonly onDismiss: () => void;
}

export function Notice({ notice, onDismiss }: NoticeProps) {
  return (
    <div className="notice-place" role="status">
      {notice && (
        <div className="notice" data-testid="notice">
          <span className="notice-text">{notice.text}</span>
          {notice.action && (
            <button
              type="button"
              data-testid="notice-action"
              onClick={() => {
                notice.action?.run();
                onDismiss();
              }}
            >
              {notice.action.label}
            </button>
          )}
          <button type="button" aria-label="Dismiss" onClick={onDismiss}>
            ×
          </button>
        </div>
      )}
    </div>
  );
}
