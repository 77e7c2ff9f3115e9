// Applies colours, text size and spacing before the first paint. A module would run too late, so this
// is a plain script.
(() => {
  const root = document.documentElement;
  window.applyAppearance = ({ theme, size, compact }) => {
    root.dataset.theme = ["light", "dark", "contrast"].includes(theme) ? theme : "system";
    root.dataset.size = ["small", "large", "huge"].includes(size) ? size : "normal";
    root.toggleAttribute("data-compact", compact === true);
  };
  try {
    window.applyAppearance(JSON.parse(localStorage.getItem("chat.settings")) ?? {});
  } catch {
    window.applyAppearance({});
  }
})();
