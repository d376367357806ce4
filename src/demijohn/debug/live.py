"""What an open page does in development: shows the bar, and notices when code, templates or styles change."""

from typing import Final

__all__ = ["LIVE_SCRIPT"]

LIVE_SCRIPT: Final = r"""
(() => {
"use strict";
const script = document.currentScript, base = script.dataset.base, own = script.dataset.request;
const safe = script.dataset.safe === "yes";
let started = script.dataset.started, source = null, shown = null;
const requests = [];

const host = document.createElement("demijohn-toolbar");
const root = host.attachShadow({mode: "closed"});
const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host{all:initial;position:fixed;inset-block-end:10px;inset-inline-end:10px;z-index:2147483000;
font:13px/1.3 system-ui,sans-serif;color-scheme:light dark}
*{box-sizing:border-box}
.bar{display:flex;gap:10px;align-items:center;background:#1b1d20;color:#e6e4df;border:1px solid #3a3d42;border-radius:9px;
padding:6px 10px;box-shadow:0 4px 18px #0004;cursor:pointer;font:inherit}
.bar:focus-visible{outline:2px solid #91a7ff;outline-offset:2px}
.bar b{font-weight:600}.bar .soft{color:#a19e97}
.ok{color:#7fd291}.moved{color:#92b8ff}.bad{color:#ffb37e}.fail{color:#ff8a7e}
.more{background:#2e3136;border-radius:5px;padding:1px 6px}
.warn{color:#f0b374}
dialog{width:min(1180px,96vw);height:min(860px,92vh);padding:0;border:1px solid #3a3d42;border-radius:12px;overflow:hidden;
background:#131416}
dialog::backdrop{background:#0008}
iframe{border:0;width:100%;height:100%;display:block}
.close{position:absolute;inset-block-start:8px;inset-inline-end:10px;background:#2e3136;color:#e6e4df;border:0;border-radius:7px;
padding:5px 10px;font:inherit;cursor:pointer}
@media print{:host{display:none}}
@media(max-width:600px){.bar .wide{display:none}}
`);
root.adoptedStyleSheets = [sheet];
const make = (name, css, text) => {
  const element = document.createElement(name);
  if (css) element.className = css;
  if (text !== undefined) element.textContent = text;
  return element;
};
const bar = make("button", "bar");
bar.type = "button";
bar.title = "What this request did (development only)";
const dialog = make("dialog");
const close = make("button", "close", "Close");
close.type = "button";
close.addEventListener("click", () => dialog.close());
dialog.append(close);
let frame = null;
const open = id => {
  if (frame) frame.remove();
  frame = make("iframe");
  frame.title = "Requests";
  frame.src = base + "/requests?id=" + encodeURIComponent(id);
  dialog.prepend(frame);
  if (!dialog.open) dialog.showModal();
};
bar.addEventListener("click", () => open(shown ? shown.id : own));
dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
root.append(bar, dialog);

const draw = () => {
  const first = requests.find(each => each.id === own), latest = requests[requests.length - 1];
  shown = first || latest || null;
  bar.replaceChildren();
  if (!shown) { bar.append(make("b", "", "Demijohn")); return; }
  const css = shown.status < 300 ? "ok" : shown.status < 400 ? "moved" : shown.status < 500 ? "bad" : "fail";
  bar.append(make("b", css, String(shown.status)), make("span", "wide", shown.method + " " + (shown.route || shown.path)),
    make("span", "soft", shown.ms + " ms"));
  if (shown.logs) bar.append(make("span", "warn", shown.logs + " log"));
  const later = requests.filter(each => each.id !== own).length;
  if (later) bar.append(make("span", "more", "+" + later));
};
const add = request => {
  if (requests.some(each => each.id === request.id)) return;
  requests.push(request);
  if (requests.length > 50) requests.shift();
  draw();
};
const restyle = () => {
  for (const link of document.querySelectorAll('link[rel~="stylesheet"]')) {
    const url = new URL(link.href);
    if (url.origin !== location.origin) continue;
    url.searchParams.set("_reloaded", Date.now());
    link.href = url;
  }
};
let waiting = false;
const again = () => {
  if (dialog.open) waiting = true;
  else if (safe) location.reload();
};
dialog.addEventListener("close", () => { if (waiting) again(); });
const listen = () => {
  if (source) return;
  source = new EventSource(base + "/events?id=" + encodeURIComponent(own));
  source.addEventListener("hello", event => {
    if (event.data !== started) { started = event.data; again(); }
  });
  source.addEventListener("request", event => add(JSON.parse(event.data)));
  source.addEventListener("changed", event => { if (event.data === "style") restyle(); else again(); });
  source.onerror = () => {
    // Closed for good: what answers now is the page that says why the app cannot be loaded.
    if (source && source.readyState === EventSource.CLOSED) { source = null; again(); }
  };
};
const rest = () => { if (source) { source.close(); source = null; } };
// A browser opens six connections to a host: tabs that nobody looks at do not keep one.
document.addEventListener("visibilitychange", () => document.hidden ? rest() : listen());
addEventListener("pagehide", rest);
document.body.append(host);
draw();
if (!document.hidden) listen();
})();
"""
