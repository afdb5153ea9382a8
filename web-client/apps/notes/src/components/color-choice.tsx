/** The note's color, one of a few. */

import { useId } from "react";

import { type NoteColor, noteColors } from "../model/note";

const names: Readonly<Record<NoteColor, string>> = {
  none: "No color",
  red: "Red",
  yellow: "Yellow",
  green: "Green",
  blue: "Blue",
};

interface ColorChoiceProps {
  readonly color: NoteColor;
  readonly onChange: (color: NoteColor) => void;
}

export function ColorChoice({ color, onChange }: ColorChoiceProps) {
  const group = useId();
  return (
    <fieldset className="color-choice">
      <legend className="visually-hidden">Color</legend>
      {noteColors.map((choice) => (
        <label key={choice} title={names[choice]}>
          <input
            type="radio"
            name={group}
            value={choice}
            checked={choice === color}
            aria-label={names[choice]}
            data-color={choice}
            onChange={() => onChange(choice)}
          />
        </label>
      ))}
    </fieldset>
  );
}
