// Makes pages quicker and livelier; every one of them works without it, by whole page loads.
"use strict";

const zone = { dateStyle: "medium", timeStyle: "short" };
const steps = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [604800, "day", 86400]];
const inWords = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

// Times in the reader's own zone, near ones in words, with the exact one on hover.
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    const seconds = (moment - Date.now()) / 1000;
    const unit = steps.find(([below]) => Math.abs(seconds) < below);
    const here = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
    time.title = `${here.format(moment)} (${time.dateTime})`;
    time.textContent = unit && !("whole" in time.dataset)
      ? inWords.format(Math.round(seconds / unit[2]), unit[1])
      : new Intl.DateTimeFormat(undefined, zone).format(moment);
  }
}

const isOut = (answer) => answer.redirected && new URL(answer.url).pathname === "/console/sign-in";

// What was typed into a form that changes something, and is not sent yet.
const isTyped = (field) => field.matches("select")
  ? [...field.options].some((option) => option.selected !== option.defaultSelected) && !field.options[0].selected
  : /^(checkbox|radio)$/.test(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
const anyTyped = () => [...document.querySelectorAll("form[method=post] :is(input:not([type=hidden]), textarea, select)")].some(isTyped);

// Why nothing is sent now; without a name there is no reason any more.
function hold(name) {
  for (const note of document.querySelectorAll("[data-held]")) note.hidden = note.id !== name;
}

async function load(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (isOut(answer)) {
    if (anyTyped()) hold("signed-out");
    else location.assign(answer.url);
    return null;
  }
  return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
}

// Whether one is still signed in; whoever has signed in anew elsewhere sends forms with another token.
async function renew() {
  const answer = await fetch("/console/start", { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (isOut(answer)) return { out: true, changed: false };
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("input[name=csrf]");
  const held = [...document.querySelectorAll("input[name=csrf]")];
  // Behind the dot is the mark of a page, of which each has its own.
  const token = (one) => one.value.split(".")[0];
  const changed = Boolean(fresh) && held.some((one) => token(one) !== token(fresh));
  if (changed) for (const one of held) one.value = fresh.value;
  return { out: false, changed };
}

// A button that is pressed once more while its answer is on its way does nothing more.
let sent = new WeakMap();
addEventListener("pageshow", () => { sent = new WeakMap(); });
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented || form.method !== "post") return;
  if (sent.has(form) && sent.get(form) === button) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  setTimeout(() => {
    if (event.defaultPrevented) return;
    sent.set(form, button);
    if (button) button.setAttribute("aria-busy", "true");
    const free = () => { sent.delete(form); if (button) button.removeAttribute("aria-busy"); };
    // What was sent may be saved as a file or shown in a frame, and the page stays; and what is
    // typed meanwhile is to be sent anew.
    setTimeout(free, 5000);
    form.addEventListener("input", free, { once: true });
    for (const frame of document.querySelectorAll("iframe[name]"))
      if (frame.name === form.target) frame.addEventListener("load", free, { once: true });
  });
});

// A session may end while somebody types: a form of some age is sent only when it will be taken.
let known = Date.now();
document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented || form.method !== "post" || !document.getElementById("signed-out")) return;
  if (Date.now() - known < 60000 && document.querySelectorAll("[data-held]:not([hidden])").length === 0) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if ("asking" in form.dataset) return;
  form.dataset.asking = "";
  const now = await renew().catch(() => null);
  delete form.dataset.asking;
  if (!now || now.out) return hold(now ? "signed-out" : "away");
  hold();
  known = Date.now();
  form.requestSubmit(button);
});

// Parts of a page that follow what happens: only those that differ are exchanged, and not for the
// mark that each page has.
const unmarked = (part) => part.innerHTML.replace(/(name="csrf" value="[\w-]+)\.[\w-]+/g, "$1");
function exchange(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || part.contains(document.activeElement) && part.querySelector("textarea, input:not([type=hidden])")) continue;
    if (part.dataset.source === undefined) part.dataset.source = unmarked(part);
    if (part.dataset.source === unmarked(other)) continue;
    const open = [...part.querySelectorAll("details[open]")].length > 0;
    if (open && part.tagName !== "DETAILS") continue;
    part.innerHTML = other.innerHTML;
    part.dataset.source = unmarked(other);
    localise(part);
  }
}

function follow(place) {
  let stamp = place.dataset.stamp;
  let timer = 0;
  const refresh = async () => {
    const fresh = await load(location.href);
    if (!fresh) return;
    exchange(fresh);
    const next = fresh.querySelector("[data-follow]");
    if (next) stamp = next.dataset.stamp;
  };
  // Where no stream is given, the page is asked for now and then.
  const poll = () => { timer = timer || setInterval(() => document.hidden || refresh(), 5000); };
  if (!window.EventSource || !place.dataset.follow) return poll();
  const source = new EventSource(place.dataset.follow);
  source.addEventListener("changed", (told) => { if (told.data !== stamp) refresh(); });
  source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) poll(); });
  addEventListener("pagehide", () => source.close());
}

// Lists are filtered while one types, without a new page.
function filter(form) {
  const results = document.querySelector("[data-results]");
  let timer = 0, last = 0;
  const show = async () => {
    const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
    const address = `${location.pathname}${query.size ? "?" : ""}${query}`;
    const mine = ++last;
    const fresh = await load(address);
    if (!fresh || mine !== last) return;
    results.innerHTML = fresh.querySelector("[data-results]").innerHTML;
    for (const part of document.querySelectorAll("[data-beside]")) part.innerHTML = fresh.getElementById(part.id).innerHTML;
    history.replaceState(null, "", address);
    localise(results);
    revealPickAll(results);
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, 200); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); show(); });
}

// All of a list are chosen by its first box with the shift key held, as in mail programs.
document.addEventListener("click", (event) => {
  const box = event.target;
  if (!event.shiftKey || !box.matches || !box.matches("[data-bulk] input[type=checkbox]")) return;
  for (const other of box.form.querySelectorAll("input[type=checkbox]")) other.checked = box.checked;
});

// The same by one box above the list, which is there only with scripts; it follows what is ticked.
const others = (all) => [...all.closest("form").querySelectorAll("input[type=checkbox]")].filter((box) => !all.contains(box));
const revealPickAll = (root) => { for (const all of root.querySelectorAll("[data-pick-all]")) all.hidden = false; };
document.addEventListener("change", (event) => {
  const form = event.target.closest && event.target.closest("[data-bulk]"), all = form && form.querySelector("[data-pick-all]");
  if (!all) return;
  const main = all.querySelector("input");
  if (event.target === main) for (const box of others(all)) box.checked = main.checked;
  else main.checked = others(all).every((box) => box.checked);
});

// One popup at a time; Escape and a click elsewhere close it. Escape closes the menu of a phone, too.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.confirm[open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const open of document.querySelectorAll("details:is(.confirm, .menu)[open]")) { open.open = false; open.querySelector("summary").focus(); }
  const typing = event.target.matches("input, textarea, select");
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && !typing && search) { event.preventDefault(); search.focus(); }
});

// What is there to be sent to others is copied by a button.
for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
    button.querySelector("[data-done]").hidden = false;
  });
}

localise(document);
revealPickAll(document);
setInterval(() => document.hidden || localise(document), 30000);
document.querySelectorAll("[data-filters]").forEach(filter);
document.querySelectorAll("[data-follow]:not([data-ended])").forEach(follow);
