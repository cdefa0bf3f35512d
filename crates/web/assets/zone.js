// The forms of the digest: takes the browser's time zone where nobody has chosen one. Without this
// script it is UTC, and the whole form has a list to choose from.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) return;
  for (const field of document.querySelectorAll("[data-zone]")) {
    // A list takes what is in it only.
    const options = field.options && [...field.options].map((option) => option.value);
    if (!options || options.includes(zone)) field.value = zone;
  }
  for (const name of document.querySelectorAll("[data-zone-name]")) name.textContent = zone;
})();
