// What the page does beyond being read: filter, order, keys, state in the address, its JSON as a file.
// Without it everything is on the page all the same.
"use strict";
{
  const part = (name) => document.getElementById(`page:${name}`);
  const [tools, filter, order, said, help] = ["tools", "filter", "order", "said", "help"].map(part);
  const layers = [...document.querySelectorAll("[data-find]")].map((element) => ({ element, words: element.dataset.find.toLowerCase() }));
  const sections = [...document.querySelectorAll("main section")];
  const tables = [...new Set([...document.querySelectorAll("tr[data-worst]")].map((row) => row.parentElement))]
    .map((body) => ({ body, rows: [...body.rows] }));
  const unit = document.querySelector(".card") ? ".card" : "tr[data-find]";  // a comparison has rows and no cards
  const isWorstFirst = () => order.getAttribute("aria-pressed") === "true";

  // --- filter and order ---

  function sift() {
    const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { element, words } of layers) element.hidden = !asked.every((word) => words.includes(word));
    for (const section of sections) section.hidden = asked.length > 0 && !section.querySelector("[data-find]:not([hidden])");
    const every = layers.filter(({ element }) => element.matches(unit));
    const shown = every.filter(({ element }) => !element.hidden).length;
    said.value = asked.length ? `${shown || "none"} of ${every.length} ${every.length === 1 ? "layer" : "layers"}` : "";
  }

  function arrange(worstFirst) {
    const byBadness = (a, b) => a.dataset.worst - b.dataset.worst;
    for (const { body, rows } of tables) body.append(...(worstFirst ? rows.toSorted(byBadness) : rows));
    order.setAttribute("aria-pressed", worstFirst);
  }

  function setFilter(text) {
    filter.value = text;
    sift();
  }

  // --- state in the address: #CNN0-conv3?q=fail&order=worst ---

  let last = null;  // the row or card where the reader is
  let place = "";  // the id that the address names

  function mark(stop, id = stop?.id ?? "") {
    last?.classList.remove("current");
    last = stop;
    last?.classList.add("current");
    place = id;
  }

  function remember() {
    const state = new URLSearchParams();
    if (filter.value.trim()) state.set("q", filter.value.trim());
    if (isWorstFirst()) state.set("order", "worst");
    const anchor = document.getElementById(place)?.closest("[hidden]") ? "" : place;
    const hash = anchor + (state.size ? `?${state}` : "");
    history.replaceState(null, "", hash ? `#${hash}` : location.href.split("#")[0]);
  }

  // A link on the page names a place and no state: then filter and order stay. An empty address has neither.
  function arrive() {
    const [anchor, query] = location.hash.slice(1).split(/\?(.*)/s);
    if (query !== undefined || !anchor) {
      const state = new URLSearchParams(query);
      arrange(state.get("order") === "worst");
      setFilter(state.get("q") ?? "");
    }
    const target = document.getElementById(anchor);
    mark(target?.closest("[data-find]") ?? null, anchor);
    if (target) show(target);
    remember();
  }

  function show(target) {
    if (target.closest("[hidden]")) setFilter("");
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    unfold(target);
    target.scrollIntoView();
  }

  // A card or a finding that was asked for by name shows all it has.
  function unfold(target) {
    for (const fold of target.matches(".card") ? target.querySelectorAll("details") : []) fold.open = true;
    if (target.matches("details")) target.open = true;
  }

  // --- moving about ---

  // Where the next step starts: what has the focus, else where the reader was, else the top of the window.
  function neighbour(stops, by) {
    const focus = document.activeElement;
    const here = focus === document.body || tools.contains(focus) ? last : focus;
    const isBefore = here
      ? (stop) => stop.contains(here) || here.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_PRECEDING
      : (stop) => stop.getBoundingClientRect().top < 1;
    const before = stops.findLastIndex(isBefore);
    return before >= 0 && by < 0 && !stops[before].contains(here) ? before : before + by;
  }

  function go(stop) {
    if (!stop) return;
    stop.querySelector("a").focus({ preventScroll: true });
    stop.scrollIntoView({ block: stop.matches("tr") ? "nearest" : "start" });
    mark(stop);
    remember();
  }

  const visible = (selector) => [...document.querySelectorAll(selector)].filter((stop) => stop.checkVisibility());

  function step(by) {
    const stops = visible("[data-find]");
    go(stops[neighbour(stops, by)]);
  }

  function nextFailure() {
    const stops = visible(`${unit}[data-fails]`);
    if (!stops.length) said.value = "no failure here";
    const stop = stops[neighbour(stops, 1) % stops.length];
    if (stop) unfold(stop);
    go(stop);
  }

  const KEYS = new Map([
    ["/", () => filter.focus()], ["j", () => step(1)], ["k", () => step(-1)], ["n", nextFailure], ["?", () => help.showModal()],
  ]);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open || event.target === filter || !KEYS.has(event.key)) return;
    event.preventDefault();
    KEYS.get(event.key)();
  });

  filter.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    setFilter("");
    remember();
    filter.blur();
  });
  filter.addEventListener("input", () => { sift(); remember(); });
  tools.addEventListener("submit", (event) => { event.preventDefault(); go(visible("[data-find]")[0]); });
  order.addEventListener("click", () => { arrange(!isWorstFirst()); remember(); });
  part("next").addEventListener("click", nextFailure);
  part("keys").addEventListener("click", () => help.showModal());

  // --- paper, and the JSON as a file ---

  const folded = [];
  addEventListener("beforeprint", () => {
    folded.push(...document.querySelectorAll("details:not([open])"));
    for (const fold of folded) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of folded.splice(0)) fold.open = false;
  });

  part("download").href = URL.createObjectURL(new Blob([part("json").textContent], { type: "application/json" }));

  // --- what scrolls can be reached by keyboard; without a script everything that might ---

  const scrolls = new ResizeObserver((changes) => {
    for (const { target } of changes) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  });
  for (const wide of document.querySelectorAll(".wide")) scrolls.observe(wide);

  document.documentElement.classList.add("scripted");
  order.hidden = !tables.length;
  part("next").hidden = !document.querySelector(`${unit}[data-fails]`);
  tools.hidden = false;
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {  // a link to where the address is already changes no hash
    if (event.target.closest("a[href^='#']")?.hash === location.hash) arrive();
  });
  arrive();
}
