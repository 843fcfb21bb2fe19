// Small conveniences. Every page works without them.
"use strict";

(() => {
  const from = document.body.dataset.liveFrom;

  // replace puts a new fragment in place of an old one, keeping focus and open
  // details where they were. An equal one is left alone, so that nothing is
  // announced twice; one that is being typed into is left alone too.
  function replace(place, html) {
    const next = place.cloneNode(false);
    next.innerHTML = html;
    const trim = (e) => { const c = e.cloneNode(true); c.normalize(); return c.innerHTML.trim(); };
    if (trim(next) === trim(place)) return;
    const active = document.activeElement;
    const inside = place.contains(active) ? active : null;
    if (inside && inside.matches("input, textarea, select")) return;
    const open = [...place.querySelectorAll("details")].map((d) => d.open);
    const tag = inside && [inside.tagName, inside.getAttribute("href"), inside.textContent];
    place.replaceChildren(...next.childNodes);
    place.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
    if (!tag) return;
    const again = [...place.querySelectorAll(tag[0])];
    (again.find((e) => e.getAttribute("href") === tag[1] && e.textContent === tag[2]) || again[0])?.focus();
  }

  function listen() {
    const source = new EventSource(from);
    document.querySelectorAll("[data-live]").forEach((place) => {
      source.addEventListener(place.dataset.live, (e) => replace(place, e.data));
    });
    source.addEventListener("signed-out", () => { source.close(); location.assign("/sign-in"); });
    source.onopen = () => document.body.classList.remove("stale");
    source.onerror = () => {
      document.body.classList.add("stale");
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 30000);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  }
  if (from && "EventSource" in window) listen();

  // "/" goes to the search field, Ctrl+Enter sends the form that asks for it.
  addEventListener("keydown", (e) => {
    const typing = e.target.matches?.("input, textarea, select");
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
      const search = document.querySelector("[data-key='/']");
      if (search) { e.preventDefault(); search.focus(); search.select(); }
    }
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      const form = e.target.closest?.("form[data-submit-key]");
      if (form) { e.preventDefault(); form.requestSubmit(); }
    }
  });

  // A form is sent once.
  document.querySelectorAll("form[method='post']").forEach((form) => {
    form.addEventListener("submit", (e) => {
      if (form.dataset.sent) { e.preventDefault(); return; }
      form.dataset.sent = "1";
    });
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent));
})();
