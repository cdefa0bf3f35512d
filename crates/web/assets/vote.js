// Votes in place. Without this script the buttons are plain forms that do the same.
"use strict";

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form.vote");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  const body = new URLSearchParams(new FormData(form));
  body.set("vote", button.value);
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST", body, headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(answer.statusText);
    const { voted, votes } = await answer.json();
    button.value = voted ? "0" : "1";
    button.setAttribute("aria-pressed", String(voted));
    const count = `${votes} ${votes === 1 ? "vote" : "votes"}`;
    form.querySelector("[data-role=votes]").textContent = count;
    // What is seen stands at the beginning of what is read out.
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^[^:]*/, count));
    button.disabled = false;
  } catch {
    // The form's own way shows what is wrong.
    button.disabled = false;
    const choice = document.createElement("input");
    Object.assign(choice, { type: "hidden", name: "vote", value: button.value });
    form.append(choice);
    form.submit();
  }
});
