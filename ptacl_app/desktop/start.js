// The start page: cohorts opened last, a path, and the native dialog where there is a window.
"use strict";
document.addEventListener("DOMContentLoaded", async () => {
  const fault = document.getElementById("fault");
  const path = document.getElementById("path");

  async function openCohort(folder) {
    const answer = await fetch("/open", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ cohort: folder }),
    });
    if (answer.ok) location.assign("/");
    else fault.textContent = await answer.text();
  }

  document.getElementById("open").addEventListener("submit", (event) => {
    event.preventDefault();
    openCohort(path.value.trim());
  });

  const answer = await fetch("/recent");
  for (const folder of (await answer.json()).cohorts) {
    const button = document.createElement("button");
    button.textContent = folder;
    button.addEventListener("click", () => openCohort(folder));
    document.getElementById("recent").append(button);
  }
  const [first] = document.querySelectorAll("#recent button");
  (first || path).focus();

  const choose = document.getElementById("choose");
  const showDialogButton = () => { choose.hidden = false; };
  if (window.pywebview) showDialogButton();
  else window.addEventListener("pywebviewready", showDialogButton);
  choose.addEventListener("click", async () => {
    const folder = await window.pywebview.api.choose_folder();
    if (folder) openCohort(folder);
  });
});
