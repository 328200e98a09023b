// Beside the conversation: the view inside, and the settings.
import { panelTab, showsPanel } from "../state/preferences";
import { IconButton } from "./icons";
import { Inside } from "./inside";
import { Settings } from "./settings";

const tabs = [
  { id: "inside", label: "Inside" },
  { id: "settings", label: "Settings" },
] as const;

export function Panel() {
  const change = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    panelTab.value = panelTab.value === "inside" ? "settings" : "inside";
    document.getElementById(`tab-${panelTab.value}`)?.focus();
  };
  return (
    <aside class="panel" aria-label="Inside and settings">
      <div class="panel-head">
        <div role="tablist" aria-label="Panel" class="tabs" onKeyDown={change}>
          {tabs.map(({ id, label }) => (
            <button
              key={id}
              type="button"
              role="tab"
              id={`tab-${id}`}
              aria-selected={panelTab.value === id}
              aria-controls="panel-body"
              tabIndex={panelTab.value === id ? 0 : -1}
              onClick={() => (panelTab.value = id)}
            >
              {label}
            </button>
          ))}
        </div>
        <IconButton icon="close" label="Close the panel" onClick={() => (showsPanel.value = false)} />
      </div>
      <div class="panel-body" id="panel-body" role="tabpanel" tabIndex={0} aria-labelledby={`tab-${panelTab.value}`}>
        {panelTab.value === "inside" ? <Inside /> : <Settings />}
      </div>
    </aside>
  );
}
