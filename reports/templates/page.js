// What the page does beyond being read: filter, order, keys, state in the address, its JSON as a file.
// Without it everything is on the page all the same.
"use strict";
{
  const part = (name) => document.getElementById(`page:${name}`);
  const [tools, filter, order, said, help, tip] = ["tools", "filter", "order", "said", "help", "tip"].map(part);
  const layers = [...document.querySelectorAll("[data-find]")].map((element) => ({ element, words: element.dataset.find.toLowerCase() }));
  const sections = [...document.querySelectorAll("main section")];
  const tables = [...new Set([...document.querySelectorAll(".layer")].map((layer) => layer.parentElement))]
    .map((table) => ({ table, bodies: [...table.tBodies] }));
  const UNIT = tables.length ? ".layer" : "tr[data-find]";  // other rows of a page with layers lead to one
  const isWorstFirst = () => order.getAttribute("aria-pressed") === "true";

  // --- filter and order ---

  function sift() {
    const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { element, words } of layers) element.hidden = !asked.every((word) => words.includes(word));
    for (const section of sections) section.hidden = asked.length > 0 && !section.querySelector("[data-find]:not([hidden])");
    const every = layers.filter(({ element }) => element.matches(UNIT));
    const shown = every.filter(({ element }) => !element.hidden).length;
    said.value = asked.length ? `${shown || "none"} of ${every.length} ${every.length === 1 ? "layer" : "layers"}` : "";
  }

  function arrange(worstFirst) {
    const byBadness = (a, b) => a.dataset.worst - b.dataset.worst;
    for (const { table, bodies } of tables) table.append(...(worstFirst ? bodies.toSorted(byBadness) : bodies));
    order.setAttribute("aria-pressed", worstFirst);
  }

  function setFilter(text) {
    filter.value = text;
    sift();
  }

  // --- state in the address: #CNN0-conv3?q=fail&order=worst ---

  let last = null;  // the layer where the reader is
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

  // A layer, a section or a finding that was asked for by name shows all it has.
  function unfold(target) {
    const fold = target.closest("summary") ? target.closest("details") : target;
    if (fold.matches("details")) fold.open = true;
    if (target.matches(".layer")) open(target, true);
  }

  function open(layer, isOpen) {
    layer.classList.toggle("open", isOpen);
    layer.querySelector("a").setAttribute("aria-expanded", isOpen);
  }

  function toggle(layer) {
    const isOpen = !layer.classList.contains("open");
    open(layer, isOpen);
    mark(layer, isOpen ? layer.id : "");
    remember();
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
    stop.scrollIntoView({ block: stop.matches(".open") ? "start" : "nearest" });
    mark(stop);
    remember();
  }

  const visible = (selector) => [...document.querySelectorAll(selector)].filter((stop) => stop.checkVisibility());

  function step(by) {
    const stops = visible("[data-find]");
    go(stops[neighbour(stops, by)]);
  }

  function nextFailure() {
    const stops = visible(`${UNIT}[data-fails]`);
    if (!stops.length) said.value = "no failure here";
    const stop = stops[neighbour(stops, 1) % stops.length];
    if (stop) unfold(stop);
    go(stop);
  }

  const KEYS = new Map([
    ["/", () => filter.focus()], ["j", () => step(1)], ["k", () => step(-1)], ["n", nextFailure], ["?", () => help.showModal()],
  ]);

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hush();
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

  // --- words explained where they stand: by pointer, focus or tap; Escape ends it ---

  let told = null;  // the word whose note is shown

  function tell(term) {
    tip.textContent = document.getElementById(term.hash.slice(1)).nextElementSibling.textContent;
    tip.hidden = false;
    const [word, room] = [term.getBoundingClientRect(), tip.getBoundingClientRect()];
    const below = word.bottom + 6;
    tip.style.left = `${Math.max(8, Math.min(word.left, innerWidth - room.width - 8))}px`;
    tip.style.top = `${below + room.height < innerHeight ? below : Math.max(8, word.top - room.height - 6)}px`;
    term.setAttribute("aria-describedby", tip.id);
    told = term;
  }

  function hush() {
    told?.removeAttribute("aria-describedby");
    told = null;
    tip.hidden = true;
  }

  const termAt = (event) => event.target.closest?.(".term");
  const isOnNote = (event) => tip.contains(event.relatedTarget) || told?.contains(event.relatedTarget);
  for (const arrives of ["pointerover", "focusin"]) document.addEventListener(arrives, (event) => {
    if (termAt(event)) tell(termAt(event));
  });
  document.addEventListener("pointerout", (event) => { if (told && !isOnNote(event) && document.activeElement !== told) hush(); });
  document.addEventListener("focusout", (event) => { if (termAt(event)) hush(); });
  addEventListener("scroll", () => { if (told) tell(told); }, { passive: true });

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

  // --- what scrolls can be reached by keyboard; without a script everything that might. What need not keeps its head in sight ---

  const scrolls = new ResizeObserver((changes) => {
    for (const wide of new Set(changes.map(({ target }) => target.closest(".wide")))) {
      const fits = wide.scrollWidth <= wide.clientWidth;
      wide.tabIndex = fits ? -1 : 0;
      wide.classList.toggle("fits", fits);
    }
  });
  for (const part of document.querySelectorAll(".wide, .wide > *")) scrolls.observe(part);
  new ResizeObserver(() => document.documentElement.style.setProperty("--tools", `${tools.offsetHeight}px`)).observe(tools);

  document.documentElement.classList.add("scripted");
  order.hidden = !tables.length;
  part("next").hidden = !document.querySelector(`${UNIT}[data-fails]`);
  tools.hidden = false;
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;  // another tab or window
    const [link, row] = [event.target.closest("a"), event.target.closest(".layer > tr:first-child")];
    if (termAt(event)) {
      event.preventDefault();
      tell(termAt(event));
    } else if (row && (!link || link.closest("th"))) {
      event.preventDefault();
      if (link || getSelection().isCollapsed) toggle(row.parentElement);
    } else if (link?.hash && link.hash === location.hash) arrive();  // that changes no hash
  });
  arrive();
}
