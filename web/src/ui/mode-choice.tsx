// Whether the model chats or continues texts.
import type { Mode } from "../model/types";
import { changeSettings, mode } from "../state/chats";

const choices: readonly { value: Mode; label: string }[] = [
  { value: "chat", label: "Chat" },
  { value: "text", label: "Continue a text" },
];

/** `name` tells the radio buttons of two choices on one page apart. */
export function ModeChoice({ name }: { name: string }) {
  return (
    <fieldset class="choice">
      <legend class="field-name">The model should</legend>
      {choices.map(({ value, label }) => (
        <label key={value}>
          <input type="radio" name={name} checked={mode.value === value} onChange={() => void changeSettings({ mode: value })} />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
