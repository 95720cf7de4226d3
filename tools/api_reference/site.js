// Search by typing, the choice of a language, and links to names whose page one does not know.
"use strict";

const input = document.querySelector("[role=search] input");
const results = document.getElementById("results");
const told = document.getElementById("told");
const SHOWN = 30;

// Smaller is better; null: not found. Every word must be in the name or in what is said about it.
function rank(entry, words) {
  const name = entry.name.toLowerCase();
  const text = entry.text.toLowerCase();
  if (!words.every((word) => name.includes(word) || text.includes(word))) return null;
  const last = name.slice(name.lastIndexOf(".") + 1);
  const first = words[0];
  // What a method or message is made of comes after it.
  const part = entry.kind === "field" || entry.kind === "value" ? 2 : 0;
  if (name === first || last === first) return part;
  if (last.startsWith(first) || last.endsWith(first)) return part + 1;
  if (words.every((word) => name.includes(word))) return part + 2;
  return 5;
}

function find(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const kinds = ["service", "method", "error", "message", "enum", "value", "field"];
  return SEARCH.map(([name, page, kind, text]) => ({ name, page, kind, text }))
    .map((entry) => ({ entry, order: rank(entry, words) }))
    .filter(({ order }) => order !== null)
    .map(({ entry, order }) => ({ entry, order: order * 10 + kinds.indexOf(entry.kind) }))
    .sort((a, b) => a.order - b.order || a.entry.name.length - b.entry.name.length)
    .map(({ entry }) => entry);
}

function show(query) {
  const found = find(query);
  results.replaceChildren(...found.slice(0, SHOWN).map(item));
  results.hidden = found.length === 0;
  told.textContent = query.trim() === "" ? "" : found.length === 1 ? "1 result" : `${found.length} results`;
}

function item(entry) {
  const link = document.createElement("a");
  link.href = `${entry.page}#${entry.name}`;
  const said = document.createElement("span");
  said.textContent = `${entry.kind}: ${entry.text}`;
  link.append(entry.name, said);
  link.addEventListener("click", () => (results.hidden = true));
  const row = document.createElement("li");
  row.append(link);
  return row;
}

// Down and up walk through the results, Enter in the field takes the first, Escape closes them.
function walk(event) {
  const links = [...results.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") (links[at + 1] ?? links[at])?.focus();
  else if (event.key === "ArrowUp") (links[at - 1] ?? input).focus();
  else if (event.key === "Enter" && at < 0) links[0]?.click();
  else if (event.key === "Escape") {
    input.focus(); // which shows them
    results.hidden = true;
  } else return;
  if (event.key !== "Enter" || at < 0) event.preventDefault();
}

function choose(language) {
  for (const part of document.querySelectorAll("[data-language]")) part.hidden = part.dataset.language !== language;
  for (const button of document.querySelectorAll(".languages button"))
    button.setAttribute("aria-pressed", String(button.value === language));
  try {
    localStorage.setItem("language", language);
  } catch {
    // Some browsers keep nothing for files: then each page begins with the first language.
  }
}

function remembered() {
  try {
    return localStorage.getItem("language");
  } catch {
    return null;
  }
}

// index.html#NAME leads to any name of the contract, whatever its page.
function follow() {
  const name = decodeURIComponent(location.hash.slice(1));
  if (name === "" || document.getElementById(name)) return;
  const entry = SEARCH.find(([known]) => known === name);
  if (entry) location.replace(`${entry[1]}#${name}`);
}

input.addEventListener("input", () => show(input.value));
input.addEventListener("focus", () => input.value && show(input.value));
document.querySelector("[role=search]").addEventListener("keydown", walk);
document.querySelector("[role=search]").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input")) return;
  event.preventDefault();
  input.focus();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[role=search]")) results.hidden = true;
});
window.addEventListener("hashchange", follow);
follow();
if (matchMedia("(max-width: 50rem)").matches) document.querySelector(".menu details").open = false;
const buttons = [...document.querySelectorAll(".languages button")];
for (const button of buttons) button.addEventListener("click", () => choose(button.value));
if (buttons.length > 0) choose(buttons.some(({ value }) => value === remembered()) ? remembered() : buttons[0].value);
