// Before the first paint: the colours that the reader chose (src/state/preferences.ts).
try {
  const theme = JSON.parse(localStorage.getItem("plm-theme"));
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Nothing chosen, or storage is off: the system's colours.
}
