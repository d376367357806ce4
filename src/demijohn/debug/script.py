"""What the page of the debugger does: copy, keys, actions, consoles. Everything shown is put in as text."""

from typing import Final

__all__ = ["SCRIPT"]

SCRIPT: Final = r"""
(() => {
"use strict";
const body = document.body, base = body.dataset.path, token = body.dataset.token, trace = body.dataset.trace;
const all = (query, root = document) => [...root.querySelectorAll(query)];
const make = (name, css, text) => {
  const element = document.createElement(name);
  if (css) element.className = css;
  if (text !== undefined) element.textContent = text;
  return element;
};
const call = async (name, data) => {
  let response;
  try {
    response = await fetch(base + "/" + name, {
      method: "POST", credentials: "same-origin", cache: "no-store", redirect: "error",
      headers: {"content-type": "application/json"}, body: JSON.stringify({token, trace, ...data}),
    });
  } catch (error) {
    return {status: 0, error: "The server cannot be reached."};
  }
  let answer = {};
  try { answer = await response.json(); } catch (error) { answer = {error: "The server answered " + response.status + "."}; }
  return {status: response.status, ...answer};
};

const copy = document.getElementById("copy"), text = document.getElementById("markdown");
if (copy) copy.addEventListener("click", async () => {
  const label = copy.textContent;
  try { await navigator.clipboard.writeText(text.value); }
  catch (error) { text.hidden = false; text.select(); document.execCommand("copy"); text.hidden = true; }
  copy.textContent = "Copied";
  setTimeout(() => { copy.textContent = label; }, 1500);
});

all("[data-unfold]").forEach(button => button.addEventListener("click", () => {
  const frames = all("details", document.getElementById(button.dataset.unfold));
  const open = frames.some(each => !each.open);
  frames.forEach(each => { each.open = open; });
  button.textContent = open ? "Fold all" : "Unfold all";
}));

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "c" && copy && String(getSelection()) === "") { copy.click(); return; }
  if (event.key !== "j" && event.key !== "k") return;
  const frames = all(".frame > summary").filter(each => each.checkVisibility());
  const at = frames.indexOf(document.activeElement);
  const next = frames[event.key === "j" ? Math.min(at + 1, frames.length - 1) : Math.max(at - 1, 0)];
  if (next) { next.focus(); next.scrollIntoView({block: "nearest"}); }
  event.preventDefault();
});

all(".action").forEach(button => button.addEventListener("click", async () => {
  const said = button.closest(".actions").querySelector(".said");
  button.disabled = true;
  said.textContent = "Running…";
  const answer = await call("action", {name: button.dataset.name, signature: button.dataset.signature});
  said.textContent = answer.error || answer.message || "Done.";
  button.disabled = false;
  if (answer.status === 200) {
    const again = make("button", "tool", "Try again");
    again.addEventListener("click", () => location.reload());
    said.append(" ", again);
  }
}));

let unlocked = body.dataset.unlocked === "yes";
all(".console").forEach(place => {
  const past = make("div", "past"), history = [];
  past.setAttribute("aria-live", "polite");
  let back = 0;
  place.append(past);
  const say = (css, what) => { if (what) past.append(make("div", css, what)); };
  const prompt = () => {
    const form = make("form"), input = make("textarea");
    input.rows = 1; input.spellcheck = false; input.autocapitalize = "off"; input.autocomplete = "off";
    input.setAttribute("aria-label", "Python, in " + place.dataset.name);
    form.append(input);
    form.addEventListener("submit", async event => {
      event.preventDefault();
      const code = input.value;
      if (!code.trim()) return;
      history.push(code); back = history.length;
      say("in", code);
      input.value = ""; input.disabled = true;
      const answer = await call("console", {frame: Number(place.dataset.frame), code});
      if (answer.status === 401) { unlocked = false; form.remove(); ask(); say("bad", answer.error); return; }
      say("out", answer.output);
      say("out", answer.result);
      say("bad", answer.error);
      input.disabled = false; input.focus();
    });
    input.addEventListener("keydown", event => {
      if (event.key === "Enter" && !event.shiftKey && !/[:\\]\s*$/.test(input.value) && !/\n/.test(input.value)) {
        event.preventDefault(); form.requestSubmit();
      } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || /\n\s*$/.test(input.value))) {
        event.preventDefault(); form.requestSubmit();
      } else if (event.key === "ArrowUp" && back > 0 && !input.value.slice(0, input.selectionStart).includes("\n")) {
        event.preventDefault(); input.value = history[--back];
      } else if (event.key === "ArrowDown" && back < history.length && !input.value.slice(input.selectionEnd).includes("\n")) {
        event.preventDefault(); input.value = history[++back] || "";
      }
    });
    place.append(form);
    return input;
  };
  const ask = () => {
    const form = make("form", "ask"), input = make("input"), help = make("p", "help");
    input.type = "password"; input.inputMode = "numeric"; input.autocomplete = "off"; input.placeholder = "000-000-000";
    input.setAttribute("aria-label", "The PIN that the terminal shows");
    help.textContent = "The development server printed it when it started.";
    form.append(input);
    form.addEventListener("submit", async event => {
      event.preventDefault();
      input.disabled = true;
      const answer = await call("unlock", {pin: input.value});
      if (answer.status === 200) {
        unlocked = true;
        document.dispatchEvent(new CustomEvent("unlocked"));
        current.focus();
      } else { say("bad", answer.error); input.value = ""; input.disabled = false; input.focus(); }
    });
    document.addEventListener("unlocked", () => {
      if (form.isConnected) { form.remove(); help.remove(); current = prompt(); }
    });
    place.append(form, help);
  };
  let current = null;
  if (unlocked) prompt(); else ask();
});

if (body.dataset.watch) {
  const look = async () => {
    try {
      const response = await fetch(location.href, {headers: {accept: "text/plain"}, cache: "no-store"});
      if (response.headers.get("x-demijohn-failure") !== body.dataset.watch) { location.reload(); return; }
    } catch (error) { /* the server starts anew */ }
    setTimeout(look, 700);
  };
  if (body.dataset.safe) setTimeout(look, 700);
}
})();
"""
