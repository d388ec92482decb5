// The builder without whole page loads: what is typed is kept at once, and steps are dragged.
"use strict";

const form = document.querySelector("[data-builder]");
const part = (id) => document.getElementById(id);
let line = Promise.resolve();
let timer = 0;
let last = null;

// One after the other: each tells the server which change it has seen last.
function send(doing, action) {
  clearTimeout(timer);
  timer = 0;
  line = line.then(() => sendNow(doing, action)).catch((error) => {
    hold(error.name === "SignedOut" ? "signed-out" : "offline");
    timer = timer || setTimeout(() => send("keep:"), 3000);
  });
  return line;
}

function signedOut() {
  const error = new Error("One has to sign in again.");
  error.name = "SignedOut";
  return error;
}

async function sendNow(doing, action) {
  // Whoever has signed in again in another window goes on here.
  if (!part("signed-out").hidden && (await renew()).out) throw signedOut();
  const data = new URLSearchParams(new FormData(form));
  data.set("do", doing);
  const before = data.toString();
  const answer = await fetch(action || form.action, { method: "POST", body: data, headers: { Accept: "text/html" }, credentials: "same-origin" });
  // It is away, or has too much to do: what was typed is sent again.
  if (answer.status >= 500 || answer.status === 429) throw new Error(answer.statusText);
  if (isOut(answer)) throw signedOut();
  if (answer.status === 403 && (await renew()).changed) return sendNow(doing, action);
  hold();
  if (!new URL(answer.url).pathname.startsWith(new URL(form.action).pathname)) return location.assign(answer.url);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.querySelector("[data-builder]")) return refused(fresh);
  const typedOn = new URLSearchParams(new FormData(form));
  typedOn.set("do", doing);
  const quiet = /^(keep|save):$/.test(doing) && (answer.ok || answer.status === 400);
  exchangeParts(fresh, quiet, doing);
  if (answer.redirected) history.replaceState(null, "", answer.url);
  // What was typed while this was on its way comes with the next one.
  if (quiet && typedOn.toString() !== before) later();
}

// Where no draft is answered with, what was typed stays, and why it is not kept is said above it.
function refused(fresh) {
  const said = document.createElement("p");
  said.className = "note bad";
  said.setAttribute("role", "alert");
  said.textContent = [...fresh.querySelectorAll("main h1, main .text, main li")].map((one) => one.textContent.trim()).join(" – ");
  part("part-notes").replaceChildren(said);
  said.scrollIntoView({ block: "nearest" });
}

// What only works with scripts is hidden without them.
const reveal = (root) => { for (const one of root.querySelectorAll("[data-finder]")) one.hidden = false; };
reveal(form);

function exchangeParts(fresh, quiet, doing) {
  reveal(fresh);
  const focus = document.activeElement;
  const focused = focus && focus.closest("#part-flow, #part-head, #part-notes, .tools, .tabs") ? focus.value : null;
  const opened = part("part-open").dataset.open;
  for (const id of ["part-state", "part-head", "part-notes", "part-flow"]) part(id).innerHTML = fresh.getElementById(id).innerHTML;
  document.title = fresh.title;
  const said = "main > .note.good";
  for (const old of document.querySelectorAll(said)) old.remove();
  const news = fresh.querySelector(said);
  if (news) document.querySelector("main").prepend(news);
  const other = fresh.getElementById("part-open");
  if (quiet && other.dataset.open === opened) {
    for (const about of document.querySelectorAll("[data-about]")) {
      const now = fresh.getElementById(about.id);
      about.innerHTML = now ? now.innerHTML : "";
    }
    for (const rows of document.querySelectorAll("[data-rows]")) {
      const now = fresh.getElementById(rows.id);
      if (now) rows.append(...[...now.children].slice(rows.children.length));
    }
    // What follows from other inputs, while nobody types into it.
    for (const derived of document.querySelectorAll("[data-derived]")) {
      const now = fresh.getElementById(derived.id);
      if (now && derived !== document.activeElement) derived.value = now.value;
    }
    // A secret that is saved is not sent again.
    for (const secret of doing === "save:" ? form.querySelectorAll("input[type=password]") : []) {
      const now = fresh.getElementById(secret.id);
      if (now) secret.value = now.value;
    }
  } else {
    const top = other.dataset.open === opened ? part("part-open").scrollTop : 0;
    part("part-open").innerHTML = other.innerHTML;
    part("part-open").dataset.open = other.dataset.open;
    part("part-open").scrollTop = top;
  }
  const frame = document.querySelector("#part-preview iframe"), shown = fresh.querySelector("#part-preview iframe");
  // Replaced, so that the way back does not go through all that it has shown.
  if (frame && shown && frame.dataset.shown !== shown.src) frame.contentWindow.location.replace(frame.dataset.shown = shown.src);
  if (quiet && focused === null) return;
  // Where there is no room beside the flow, what is chosen stands below it.
  if (/^(at|new|copy):/.test(doing) && matchMedia("(max-width: 68rem)").matches) part("part-open").scrollIntoView();
  // What a form's fields are named by is their place: another one has it then.
  const moved = form.hasAttribute("data-places") && /^(move|copy|delete):/.test(doing);
  const inPlace = focused && !moved && form.querySelector(`button[name=do][value="${CSS.escape(focused)}"]:not(:disabled)`);
  if (doing.startsWith("new:")) (part("part-open").querySelector("input:not([type=hidden]), textarea, select") || part("part-open")).focus();
  else if (doing.startsWith("at:add.")) (part("part-open").querySelector("[data-finder] input") || part("part-open").querySelector(".palette button")).focus();
  else if (inPlace) inPlace.focus({ preventScroll: true });
  else if (/^(move|copy|paste|delete|toggle):/.test(doing)) (form.querySelector(".box[aria-current]") || form).focus();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => send("keep:"), 500);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  send(button ? button.value : "keep:", button && button.hasAttribute("formaction") ? button.formAction : "");
});
form.addEventListener("input", later);
form.addEventListener("change", (event) => {
  // Another way, or another template, has other fields.
  if (event.target.matches("select[name='f:onError'], select[name='f:config.onReject'], [data-reopen]")) send("at:" + form.elements.at.value);
});

// What is at hand is inserted where one was typing.
form.addEventListener("focusin", (event) => { if (event.target.matches("[data-template]")) last = event.target; });
form.addEventListener("click", (event) => {
  const offer = event.target.closest("[data-insert]");
  if (!offer) return;
  const field = last && last.isConnected ? last : form.querySelector("[data-template]");
  if (!field) return;
  field.focus();
  field.setRangeText(offer.dataset.insert, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// What begins with two braces is completed from what is at hand; behind a bar, by what changes it.
let asked = null;
const list = document.createElement("ul");
list.id = "completions";
list.className = "completions";
list.setAttribute("role", "listbox");

function completing(field) {
  const before = field.value.slice(0, field.selectionStart);
  const from = before.lastIndexOf("{{");
  if (from < 0 || before.indexOf("}}", from) >= 0) return null;
  const bar = before.lastIndexOf("|");
  const changes = bar > from;
  return { from: changes ? before.slice(0, bar).trimEnd().length : from, changes, typed: before.slice(changes ? bar + 1 : from + 2).trim().toLowerCase() };
}

function offer(field) {
  asked = completing(field);
  const found = asked === null ? [] : [...form.querySelectorAll("[data-insert]")].filter((one) =>
    one.dataset.insert.startsWith("{{") !== asked.changes && one.dataset.insert.toLowerCase().includes(asked.typed)).slice(0, 9);
  if (!found.length) return closeOffers();
  list.replaceChildren(...found.map((one, place) => {
    const item = document.createElement("li");
    item.id = `completion-${place}`;
    item.setAttribute("role", "option");
    item.dataset.text = one.dataset.insert;
    item.append(...[...one.children].map((part) => part.cloneNode(true)));
    return item;
  }));
  field.after(list);
  list.style.top = `${field.offsetTop + field.offsetHeight}px`;
  field.setAttribute("aria-controls", list.id);
  point(field, 0);
}

function point(field, place) {
  const items = [...list.children], chosen = items[(place + items.length) % items.length];
  for (const item of items) item.setAttribute("aria-selected", item === chosen);
  field.setAttribute("aria-activedescendant", chosen.id);
  chosen.scrollIntoView({ block: "nearest" });
}

function closeOffers() {
  for (const field of form.querySelectorAll("[aria-activedescendant]")) field.removeAttribute("aria-activedescendant");
  list.remove();
}

function complete(field, item) {
  const behind = field.value.slice(field.selectionEnd).match(/^\s*\}\}/);
  // What is there already closes what is inserted; a whole template has its own end.
  const text = asked.changes ? `${item.dataset.text}${behind ? "" : " }}"}` : item.dataset.text;
  const end = field.selectionEnd + (behind && !asked.changes ? behind[0].length : 0);
  field.setRangeText(text, asked.from, end, "end");
  closeOffers();
  later();
}

form.addEventListener("input", (event) => { if (event.target.matches("[data-template]")) offer(event.target); });
form.addEventListener("focusout", closeOffers);
form.addEventListener("pointerdown", (event) => {
  const item = event.target.closest && event.target.closest("#completions li");
  if (!item) return;
  event.preventDefault();
  complete(document.activeElement, item);
});
form.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!list.isConnected || !field.matches("[data-template]")) return;
  const items = [...list.children], place = items.findIndex((one) => one.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") point(field, place + (event.key === "ArrowDown" ? 1 : -1));
  else if (event.key === "Enter" || event.key === "Tab") complete(field, items[place]);
  else if (event.key === "Escape") closeOffers();
  else return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

// Step types are found while one types; Enter takes the first.
form.addEventListener("input", (event) => {
  const finder = event.target.closest("[data-finder]");
  if (!finder) return;
  event.stopImmediatePropagation();
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const one of form.querySelectorAll("[data-find]"))
    one.hidden = !words.every((word) => `${one.dataset.find} ${one.textContent}`.toLowerCase().includes(word));
  for (const group of form.querySelectorAll("[data-findable]")) group.hidden = !group.querySelector("[data-find]:not([hidden])");
}, { capture: true });
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.closest("[data-finder]")) return;
  event.preventDefault();
  const first = form.querySelector("[data-find]:not([hidden]) button");
  if (first) first.click();
});

// A step is taken elsewhere as text, by the clipboard.
document.addEventListener("copy", (event) => {
  const source = part("step-source"), at = document.activeElement;
  if (!source || !getSelection().isCollapsed || !at || !at.matches(".box[aria-current][data-step]")) return;
  event.clipboardData.setData("text/plain", source.textContent);
  event.preventDefault();
});
document.addEventListener("paste", (event) => {
  const at = document.activeElement, clip = form.elements.clip;
  if (!clip || !at || at.matches("input, textarea, select")) return;
  const text = event.clipboardData.getData("text/plain");
  if (!text.trim()) return;
  event.preventDefault();
  clip.value = text;
  send("paste:");
});

// The flow by the keyboard: arrows go through it, with Alt they move the step.
form.addEventListener("keydown", (event) => {
  const box = event.target.closest("[data-flow] .box");
  const moves = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "in", ArrowLeft: "out" };
  if (box && event.altKey && moves[event.key] && box.getAttribute("aria-current")) {
    event.preventDefault();
    const way = form.querySelector(`[data-way=${moves[event.key]}]:not(:disabled)`);
    if (way) send(way.value);
  } else if (box && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    const all = [...form.querySelectorAll("[data-flow] .box")];
    const next = all[all.indexOf(box) + (event.key === "ArrowUp" ? -1 : 1)];
    if (next) next.focus();
  } else if (box && event.key === "Delete" && box.dataset.step) {
    event.preventDefault();
    send(`delete:${box.dataset.step}`);
  } else if (box && (event.ctrlKey || event.metaKey) && event.key === "d" && box.dataset.step) {
    event.preventDefault();
    send(`copy:${box.dataset.step}`);
  }
});
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey)) return;
  const typing = event.target.matches("input, textarea");
  if (event.key === "s") { event.preventDefault(); send("save:"); }
  else if (event.key === "z" && !typing) { event.preventDefault(); send(event.shiftKey ? "redo:" : "undo:"); }
});

// By the mouse: a step is dropped on a place between others.
let dragged = null;
form.addEventListener("pointerover", (event) => { const box = event.target.closest(".box[data-step]"); if (box) box.draggable = true; });
form.addEventListener("dragstart", (event) => {
  dragged = event.target.closest(".box[data-step]");
  if (!dragged) return;
  event.dataTransfer.setData("text/plain", dragged.dataset.step);
  event.dataTransfer.effectAllowed = "move";
  dragged.classList.add("dragged");
  form.classList.add("dragging");
});
form.addEventListener("dragover", (event) => {
  for (const over of form.querySelectorAll(".plus.over")) over.classList.remove("over");
  const plus = dragged && nearest(event);
  if (!plus) return;
  event.preventDefault();
  plus.classList.add("over");
});
form.addEventListener("drop", (event) => {
  const plus = dragged && nearest(event);
  if (!plus) return;
  event.preventDefault();
  send(`move:${dragged.dataset.step}:${plus.dataset.spot}`);
});
form.addEventListener("dragend", () => {
  if (dragged) dragged.classList.remove("dragged");
  dragged = null;
  form.classList.remove("dragging");
  for (const over of form.querySelectorAll(".plus.over")) over.classList.remove("over");
});
function nearest(event) {
  if (!event.target.closest || !event.target.closest("[data-flow]")) return null;
  let best = null, least = 60;
  for (const plus of form.querySelectorAll(".plus")) {
    const box = plus.getBoundingClientRect();
    const away = Math.hypot(box.x + box.width / 2 - event.clientX, (box.y + box.height / 2 - event.clientY) * 1.5);
    if (away < least) { best = plus; least = away; }
  }
  return best;
}

// A page that the browser had put aside has not seen what was changed since.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// A draft is on the server half a second after the last letter, and at once when one leaves.
addEventListener("pagehide", () => {
  if (!timer) return;
  const data = new URLSearchParams(new FormData(form));
  data.set("do", "keep:");
  fetch(form.action, { method: "POST", body: data, keepalive: true, credentials: "same-origin" });
});
