/** The note's title: one line of meaning that may wrap on the screen. */

import { type ChangeEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";

interface TitleInputProps {
  readonly title: string;
  readonly onChange: (title: string) => void;
  /** The person is done with the title and goes on to the body. */
  readonly onLeave: () => void;
}

export function TitleInput({ title, onChange, onLeave }: TitleInputProps) {
  const input = useRef<HTMLTextAreaElement>(null);
  // While an input method composes a word, its letters are not the title yet.
  const [composed, setComposed] = useState<string>();
  const shown = composed ?? title;

  useEffect(() => {
    // A note without a title was most likely made just now.
    if (input.current?.value === "") {
      input.current.focus({ preventScroll: true });
    }
  }, []);

  const commit = (text: string) => {
    const next = oneLine(text);
    if (next !== title) {
      onChange(next);
    }
  };

  const change = (event: ChangeEvent<HTMLTextAreaElement>) => {
    if (composed === undefined) {
      commit(event.target.value);
    } else {
      setComposed(event.target.value);
    }
  };

  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault();
      onLeave();
    }
  };

  return (
    <div className="title" data-text={shown}>
      <textarea
        ref={input}
        rows={1}
        value={shown}
        placeholder="Untitled"
        aria-label="Title"
        spellCheck
        data-testid="title-input"
        onChange={change}
        onKeyDown={press}
        onCompositionStart={() => setComposed(title)}
        onCompositionEnd={(event) => {
          setComposed(undefined);
          commit(event.currentTarget.value);
        }}
      />
    </div>
  );
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ");
}
