// A grid of rows: cells by the keyboard, changed in their place; without it, by whole page loads.
"use strict";

const editable = () => document.querySelector("[data-edits]");
let busy = false;

// Cells of rows, without those that hold boxes, numbers and buttons.
const cellsOf = (row) => [...row.querySelectorAll("td:not(.pick, .at, .acts)")];
const keyOf = (cell) => {
  const keys = [...document.querySelectorAll(".grid th[data-key]")];
  return keys[cellsOf(cell.parentElement).indexOf(cell)].dataset.key;
};

function ready() {
  if (!editable()) return;
  const first = document.querySelector(".grid tbody tr:not(.changing)");
  if (first && cellsOf(first)[0] && !document.querySelector(".grid td[tabindex='0']")) cellsOf(first)[0].tabIndex = 0;
}

function go(cell) {
  for (const other of document.querySelectorAll(".grid td[tabindex='0']")) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

// One row as the server shows it now, in the place of the one that is shown.
function exchangeRow(fresh, id) {
  const row = document.getElementById(id), other = fresh.getElementById(id);
  if (!row || !other) return false;
  row.replaceWith(document.adoptNode(other));
  const form = document.getElementById("changing"), newer = fresh.getElementById("changing");
  if (form) form.remove();
  if (newer) document.querySelector("[data-grid]").prepend(document.adoptNode(newer));
  localise(document.getElementById(id));
  return true;
}

function say(fresh) {
  for (const note of document.querySelectorAll("main > .note:not([data-held]), [data-grid] > .note:not([data-held])")) note.remove();
  const said = fresh.querySelector("main > .note:not([data-held]), [data-grid] > .note:not([data-held])");
  if (said) document.querySelector("[data-grid]").prepend(document.adoptNode(said));
}

async function open(row, key) {
  if (busy) return;
  const query = new URLSearchParams(location.search);
  query.delete("column");
  query.set("edit", row.id.slice(2));
  query.set("cell", key);
  busy = true;
  const before = document.querySelector(".grid tr.changing");
  if (before && !(await shut())) { busy = false; return; }
  const fresh = await load(`${location.pathname}?${query}`);
  busy = false;
  if (!fresh || !exchangeRow(fresh, row.id)) return location.reload();
  const input = document.querySelector(`#${CSS.escape(row.id)} :is(input:not([type=hidden], [type=checkbox]), textarea, select)[form=changing]`);
  if (!input) return;
  input.dataset.key = key;
  input.focus();
  if (input.select) input.select();
}

// The row as it is, without what was typed.
async function shut() {
  const row = document.querySelector(".grid tr.changing");
  if (!row) return true;
  const query = new URLSearchParams(location.search);
  for (const name of ["edit", "cell"]) query.delete(name);
  const place = cellsOf(row).findIndex((cell) => cell.querySelector("[form=changing]"));
  const fresh = await load(`${location.pathname}?${query}`);
  if (!fresh || !exchangeRow(fresh, row.id)) { location.reload(); return false; }
  ready();
  const cell = cellsOf(document.getElementById(row.id))[place];
  if (cell) go(cell);
  return true;
}

async function save(form) {
  if (busy) return;
  const row = document.querySelector(".grid tr.changing");
  const place = cellsOf(row).findIndex((cell) => cell.querySelector("[form=changing]"));
  busy = true;
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" }, credentials: "same-origin",
  });
  busy = false;
  if (isOut(answer)) return hold("signed-out");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  // Where it is not on the page any more, or one has to sign in, the page itself says so.
  if (!fresh.getElementById(row.id) || !exchangeRow(fresh, row.id)) return location.assign(answer.url.split("#")[0]);
  say(fresh);
  const query = new URLSearchParams(location.search);
  for (const name of ["edit", "cell"]) query.delete(name);
  history.replaceState(null, "", `${location.pathname}${query.size ? "?" : ""}${query}`);
  ready();
  const wrong = document.querySelector(".grid tr.changing [aria-invalid], .grid tr.changing [form=changing]:not([type=hidden])");
  if (wrong) wrong.focus();
  else if (cellsOf(document.getElementById(row.id))[place]) go(cellsOf(document.getElementById(row.id))[place]);
}

document.addEventListener("submit", (event) => {
  if (event.target.id !== "changing") return;
  event.preventDefault();
  save(event.target);
});

document.addEventListener("dblclick", (event) => {
  const cell = event.target.closest && event.target.closest("[data-edits] tbody td:not(.pick, .at, .acts)");
  if (cell && !cell.querySelector("[form=changing]")) open(cell.parentElement, keyOf(cell));
});
document.addEventListener("click", (event) => {
  const cell = event.target.closest && event.target.closest("[data-edits] tbody td:not(.pick, .at, .acts)");
  if (cell && !cell.querySelector("[form=changing]")) go(cell);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("[form=changing]");
  if (typing && event.key === "Escape") {
    event.preventDefault();
    shut();
  } else if (typing && event.key === "Enter" && !event.shiftKey && !event.altKey && typing.tagName === "TEXTAREA") {
    event.preventDefault();
    document.getElementById("changing").requestSubmit();
  }
  const cell = event.target;
  if (!cell.matches || !cell.matches("[data-edits] tbody td")) return;
  const row = cell.parentElement, place = cellsOf(row).indexOf(cell);
  const moves = {
    ArrowLeft: () => cellsOf(row)[place - 1],
    ArrowRight: () => cellsOf(row)[place + 1],
    ArrowUp: () => row.previousElementSibling && cellsOf(row.previousElementSibling)[place],
    ArrowDown: () => row.nextElementSibling && cellsOf(row.nextElementSibling)[place],
    Home: () => cellsOf(row)[0],
    End: () => cellsOf(row).at(-1),
  };
  if (moves[event.key] && !event.ctrlKey && !event.metaKey) {
    const next = moves[event.key]();
    event.preventDefault();
    if (next) go(next);
  } else if (event.key === "Enter" || event.key === "F2") {
    event.preventDefault();
    open(row, keyOf(cell));
  }
});

// Of a list that is filtered while one types, other rows are shown.
new MutationObserver(ready).observe(document.querySelector("[data-grid]"), { childList: true });
ready();
