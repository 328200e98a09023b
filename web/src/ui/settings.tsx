// System prompt and sampling, of this chat and of those begun after it.
import { useSignal } from "@preact/signals";
import { readNumber, samplingFields, type SamplingField } from "../model/sampling";
import { changeSettings, mode, settings } from "../state/chats";
import { properties } from "../state/connection";
import { IconButton } from "./icons";
import { ModeChoice } from "./mode-choice";

export function Settings() {
  const { system, sampling } = settings.value;
  const isChanged = Object.keys(sampling).length > 0;
  return (
    <div class="settings">
      <ModeChoice name="settings-mode" />
      <label class="field">
        <span class="field-name">{mode.value === "text" ? "Text before yours" : "System prompt"}</span>
        <textarea
          rows={4}
          placeholder={mode.value === "text" ? "Always stands first" : "Who the model is, and how it should answer"}
          value={system}
          onInput={(event) => void changeSettings({ system: event.currentTarget.value })}
        />
      </label>
      <div class="section-head">
        <h2>Sampling</h2>
        <button type="button" class="quiet small" disabled={!isChanged} onClick={() => void changeSettings({ sampling: {} })}>
          Reset all
        </button>
      </div>
      {samplingFields.filter((spec) => !spec.isAdvanced).map((spec) => (
        <NumberField key={spec.key} spec={spec} />
      ))}
      <details>
        <summary>More</summary>
        {samplingFields.filter((spec) => spec.isAdvanced).map((spec) => (
          <NumberField key={spec.key} spec={spec} />
        ))}
      </details>
      <p class="hint">For this chat, and for chats begun after it. What you leave alone is as the server says.</p>
    </div>
  );
}

function NumberField({ spec }: { spec: SamplingField }) {
  const sampling = settings.value.sampling;
  const own = sampling[spec.key];
  const otherwise = properties.value?.defaults[spec.key];
  const typed = useSignal<string | null>(null);
  const shown = own ?? otherwise;
  const id = `sampling-${spec.key}`;
  const set = (value: number | undefined) => {
    const { [spec.key]: _old, ...rest } = sampling;
    void changeSettings({ sampling: value === undefined ? rest : { ...rest, [spec.key]: value } });
  };
  return (
    <div class="field number" data-changed={own !== undefined}>
      <div class="field-head">
        <label class="field-name" for={id}>
          {spec.label}
        </label>
        {own !== undefined && <IconButton icon="again" label={`${spec.label}: as the server says`} onClick={() => set(undefined)} />}
        <input
          id={id}
          inputMode="decimal"
          autocomplete="off"
          aria-describedby={`${id}-help`}
          placeholder={otherwise === undefined ? spec.unset : String(otherwise)}
          value={typed.value ?? own ?? ""}
          onInput={(event) => (typed.value = event.currentTarget.value)}
          onChange={(event) => {
            typed.value = null;
            set(readNumber(spec, event.currentTarget.value));
          }}
        />
      </div>
      {spec.key !== "seed" && (
        <input
          type="range"
          aria-label={`${spec.label}, slider`}
          min={spec.least}
          max={spec.most}
          step={spec.step}
          value={shown ?? spec.most}
          onInput={(event) => set(readNumber(spec, event.currentTarget.value))}
        />
      )}
      <p class="help" id={`${id}-help`}>
        {spec.help}
      </p>
    </div>
  );
}
