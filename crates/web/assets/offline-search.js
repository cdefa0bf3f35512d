// Searches the papers of a copy of the site: every word has to be in the title or among the authors.
"use strict";

(() => {
  const place = document.getElementById("offline-search");
  const papers = window.pressrunPapers;
  if (!place || !papers) return;

  const MOST = 100; // results shown

  // Without case and accents.
  const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = papers.map(([, title, authors]) => [plain(title), plain(authors)]);

  const label = document.createElement("label");
  label.htmlFor = "offline-q";
  label.textContent = "Search papers ";
  const box = document.createElement("input");
  box.id = "offline-q";
  box.type = "search";
  box.autocomplete = "off";
  const count = document.createElement("p");
  count.className = "total";
  count.setAttribute("role", "status");
  const list = document.createElement("ul");
  list.className = "related";
  place.replaceChildren(label, box, count, list);

  // As text, never as markup: titles come from anywhere.
  function item([address, title, authors, dated]) {
    const link = document.createElement("a");
    link.href = place.dataset.root + address;
    link.textContent = title;
    const more = document.createElement("small");
    more.textContent = ` ${[authors, dated].filter(Boolean).join(" · ")}`;
    const entry = document.createElement("li");
    entry.append(link, more);
    return entry;
  }

  function search() {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    list.replaceChildren();
    count.textContent = "";
    if (words.length === 0) return;
    // Titles with all words first, then the newest first, as the papers come.
    const inTitle = [];
    const others = [];
    texts.forEach(([title, authors], index) => {
      if (words.every((word) => title.includes(word))) inTitle.push(index);
      else if (words.every((word) => title.includes(word) || authors.includes(word))) {
        others.push(index);
      }
    });
    const found = inTitle.concat(others);
    const shown = found.slice(0, MOST);
    count.textContent = found.length > MOST
      ? `${found.length} papers; the first ${MOST} are shown.`
      : `${found.length} ${found.length === 1 ? "paper" : "papers"}.`;
    list.append(...shown.map((index) => item(papers[index])));
  }

  box.addEventListener("input", search);
  box.focus();
})();
