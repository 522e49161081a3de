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
  const isWorstFirst = () => order.getAttribute("aria-pressed") === "true";

  // --- filter and order ---

  function sift() {
    const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const { element, words } of layers) element.hidden = !asked.every((word) => words.includes(word));
    for (const section of sections) section.hidden = asked.length > 0 && !section.querySelector("[data-find]:not([hidden])");
    const cards = layers.filter(({ element }) => element.matches(".card"));
    const shown = cards.filter(({ element }) => !element.hidden).length;
    said.value = asked.length ? `${shown || "none"} of ${cards.length} layers` : "";
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

  // --- state in the address ---

  function remember(anchor = "") {
    const state = new URLSearchParams();
    if (filter.value.trim()) state.set("q", filter.value.trim());
    if (isWorstFirst()) state.set("order", "worst");
    const hash = state.size ? `?${state}` : anchor;
    history.replaceState(null, "", hash ? `#${hash}` : location.href.split("#")[0]);
  }

  function arrive() {
    const hash = location.hash.slice(1);
    if (hash.startsWith("?")) {
      const state = new URLSearchParams(hash.slice(1));
      arrange(state.get("order") === "worst");
      setFilter(state.get("q") ?? "");
      return;
    }
    const target = document.getElementById(hash);
    if (!target) return;
    if (target.closest("[hidden]")) setFilter("");
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    unfold(target);
    target.scrollIntoView();
  }

  // A card that was asked for by name shows all it has.
  function unfold(target) {
    for (const fold of target.matches(".card") ? target.querySelectorAll("details") : []) fold.open = true;
  }

  // --- moving about ---

  // Where the next step starts: what has the focus, else what the address names, else the top of the window.
  function neighbour(stops, by) {
    const here = document.activeElement === document.body ? document.querySelector(":target") : document.activeElement;
    const isBefore = here
      ? (stop) => stop.contains(here) || here.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_PRECEDING
      : (stop) => stop.getBoundingClientRect().top < 1;
    const last = stops.findLastIndex(isBefore);
    return last >= 0 && by < 0 && !stops[last].contains(here) ? last : last + by;
  }

  function go(stop) {
    if (!stop) return;
    stop.querySelector("a").focus({ preventScroll: true });
    stop.scrollIntoView({ block: stop.matches("tr") ? "nearest" : "start" });
    remember(stop.id);
  }

  const visible = (selector) => [...document.querySelectorAll(selector)].filter((stop) => stop.checkVisibility());

  function step(by) {
    const stops = visible("[data-find]");
    go(stops[neighbour(stops, by)]);
  }

  function nextFailure() {
    const stops = visible(".card[data-fails]");
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
  order.hidden = !tables.length;
  part("next").hidden = !document.querySelector(".card[data-fails]");
  tools.hidden = false;
  addEventListener("hashchange", arrive);
  document.addEventListener("click", (event) => {  // a link to where the address is already changes no hash
    if (event.target.closest("a[href^='#']")?.hash === location.hash) arrive();
  });
  arrive();
}
