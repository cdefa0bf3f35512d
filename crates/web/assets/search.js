// The search box: suggests titles and authors while somebody types, and takes the keyboard's focus
// at "/". Without this script the box is a plain form that does the same search. The roles and keys
// are those of an editable combobox with a list of suggestions, as the ARIA practices describe it.
"use strict";

(() => {
  const form = document.querySelector("form[role=search]");
  const box = form && form.querySelector("input[name=q]");
  if (!box) return;

  // Long enough to leave out most keystrokes of somebody who types fast, too short to be noticed.
  const WAIT_MS = 80;

  const list = document.createElement("ul");
  list.id = "suggestions";
  list.className = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  form.append(list);

  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");
  // The browser's own list of former entries would lie over this one.
  box.autocomplete = "off";

  let active = -1; // which suggestion Enter goes to; -1 is what was typed
  let timer = null;
  let request = null; // the one under way

  // Nothing more comes until somebody types again.
  function hold() {
    clearTimeout(timer);
    if (request) request.abort();
    request = null;
  }

  function close() {
    hold();
    list.hidden = true;
    list.replaceChildren();
    activate(-1);
    box.setAttribute("aria-expanded", "false");
  }

  // The focus stays in the box; which option it stands for is told by its id.
  function activate(index) {
    active = index;
    [...list.children].forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === index));
      if (i === index) option.scrollIntoView({ block: "nearest" });
    });
    if (index < 0) box.removeAttribute("aria-activedescendant");
    else box.setAttribute("aria-activedescendant", list.children[index].id);
  }

  function option(suggestion, index) {
    const item = document.createElement("li");
    item.id = `suggestion-${index}`;
    item.dataset.href = suggestion.href;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const text = document.createElement("span");
    text.className = "what";
    // As text, never as markup: titles come from anywhere.
    text.textContent = suggestion.text;
    const kind = document.createElement("small");
    kind.textContent = suggestion.kind === "author"
      ? `author, ${suggestion.papers} ${suggestion.papers === 1 ? "paper" : "papers"}`
      : "paper";
    item.append(text, kind);
    return item;
  }

  function show(suggestions) {
    list.replaceChildren(...suggestions.map(option));
    activate(-1);
    list.hidden = suggestions.length === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
  }

  async function ask() {
    if (request) request.abort();
    const own = new AbortController();
    request = own;
    try {
      const address = `/api/suggest?q=${encodeURIComponent(box.value)}`;
      const answer = await fetch(address, { signal: own.signal });
      const found = answer.ok ? (await answer.json()).suggestions : [];
      // A later request, or closing the list, has taken this one's place.
      if (request === own) show(found);
    } catch {
      // Aborted, or the site cannot be reached: the form still works, so nothing is said.
      if (request === own) close();
    }
  }

  function go(item) {
    const { href } = item.dataset;
    close();
    location.assign(href);
  }

  box.addEventListener("input", () => {
    clearTimeout(timer);
    // One letter stands for everything.
    if (box.value.trim().length < 2) close();
    else timer = setTimeout(ask, WAIT_MS);
  });

  box.addEventListener("keydown", (event) => {
    // While an input method composes a word the keys are its own.
    if (event.isComposing) return;
    const count = list.children.length;
    if (event.key === "Escape" && !list.hidden) {
      // Otherwise a search field empties itself.
      event.preventDefault();
      close();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count > 0) {
      event.preventDefault();
      // A later answer would take away what somebody is about to choose.
      hold();
      // One step beyond either end lies what was typed.
      const step = event.key === "ArrowDown" ? 1 : -1;
      activate(((active + 1 + step + count + 1) % (count + 1)) - 1);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      go(list.children[active]);
    }
  });

  // Pressing the mouse would take the focus from the box, and so close the list before the click.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (item) go(item);
  });
  box.addEventListener("blur", close);
  form.addEventListener("submit", close);
  // A page that comes back from the browser's memory comes back as it was left.
  addEventListener("pagehide", close);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
})();
