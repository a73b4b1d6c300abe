// The app's page in a window: saving by the native dialog, and back to the start page at the end.
"use strict";
(() => {
  const hasDialogs = HAS_DIALOGS;

  // page.js offers what the app delivers before it downloads it.
  function saveByDialog() {
    window.addEventListener("ptacl-delivery", (event) => {
      event.preventDefault();
      save(event.detail);
    });
  }

  async function save(key) {
    const answer = await fetch(`/save/${encodeURIComponent(key)}`, { method: "POST" });
    const said = await answer.text();
    if (said) tell(said);
  }

  function tell(text) {
    document.getElementById("notice").textContent = text;
    document.body.classList.add("-told");
    setTimeout(() => document.body.classList.remove("-told"), 6000);
  }

  function keepPlace() {
    const place = { width: outerWidth, height: outerHeight, x: screenX, y: screenY };
    navigator.sendBeacon("/place", JSON.stringify(place));
  }

  if (hasDialogs) saveByDialog();
  else window.addEventListener("pagehide", keepPlace);
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver((_, observer) => {
      if (!document.body.classList.contains("-ended")) return;
      observer.disconnect();
      location.assign("/start");
    }).observe(document.body, { attributeFilter: ["class"] });
  });
})();
