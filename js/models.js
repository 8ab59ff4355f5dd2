// The sidebar tab "Face models": what is published, what is installed, and a button for the rest.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const BADGES = { yes: "commercial use", no: "non-commercial", unclear: "terms unclear" };
const STYLE = `
.likeness-models { height: 100%; overflow-y: auto; padding: 12px; box-sizing: border-box; color: var(--fg-color);
  font-size: 13px; line-height: 1.4; }
.likeness-models h2 { font-size: 16px; margin: 0 0 8px; }
.likeness-models h3 { font-size: 12px; margin: 16px 0 6px; text-transform: uppercase; color: var(--descrip-text); }
.likeness-models input { width: 100%; box-sizing: border-box; padding: 6px 8px; border: 1px solid var(--border-color);
  border-radius: 6px; background: var(--comfy-input-bg); color: var(--input-text); }
.likeness-models article { border: 1px solid var(--border-color); border-radius: 8px; padding: 8px 10px;
  margin-bottom: 8px; }
.likeness-models header { display: flex; gap: 6px; align-items: baseline; flex-wrap: wrap; }
.likeness-models header b { flex: 1 1 auto; }
.likeness-models .badge { font-size: 11px; padding: 0 6px; border-radius: 8px; border: 1px solid var(--border-color);
  white-space: nowrap; }
.likeness-models .no { border-color: var(--error-text, #d44); color: var(--error-text, #d44); }
.likeness-models .quiet { color: var(--descrip-text); font-size: 12px; overflow-wrap: anywhere; }
.likeness-models .says { color: var(--error-text, #d44); font-size: 12px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.likeness-models a { color: inherit; }
.likeness-models progress { width: 100%; height: 8px; }
.likeness-models .buttons { display: flex; gap: 6px; flex-wrap: wrap; margin-top: 6px; }
.likeness-models button { padding: 3px 10px; border: 1px solid var(--border-color); border-radius: 6px; cursor: pointer;
  background: var(--comfy-input-bg); color: var(--input-text); font-size: 12px; }
.likeness-models button:hover { filter: brightness(1.15); }
`;

/** An element with properties and children; text is never read as HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function size(bytes) {
  if (!bytes) return "size not published";
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** The ids that the open workflow's loaders ask for. */
function neededIds() {
  const nodes = app.graph?._nodes ?? [];
  const loaders = nodes.filter((node) => (node.comfyClass ?? node.type ?? "").startsWith("LikenessLoad"));
  const choices = loaders.flatMap((node) => (node.widgets ?? []).filter((widget) => widget.name === "model"));
  return new Set(choices.map((widget) => widget.value));
}

class Panel {
  constructor(root) {
    this.root = root;
    this.systems = [];
    this.words = "";
    this.search = make("input", { type: "search", placeholder: "Search systems", ariaLabel: "Search systems" });
    this.search.oninput = () => {
      this.words = this.search.value.toLowerCase();
      this.draw();
    };
    this.list = make("div");
    root.replaceChildren(
      make("div", { className: "likeness-models" }, make("style", { textContent: STYLE }),
        make("h2", { textContent: "Face models" }), this.search, this.list),
    );
    this.hear = (event) => this.news(event.detail);
    api.addEventListener("likeness.models", this.hear);
    this.load();
  }

  close() {
    api.removeEventListener("likeness.models", this.hear);
  }

  async load() {
    const answer = await api.fetchApi("/likeness/models");
    if (!answer.ok) {
      this.list.replaceChildren(make("p", { className: "says", textContent: `The server answers ${answer.status}.` }));
      return;
    }
    this.systems = await answer.json();
    this.draw();
  }

  news(job) {
    const model = this.systems.flatMap((system) => system.models).find((known) => known.id === job.id);
    if (!model) return;
    model.job = job;
    if (["done", "failed", "paused"].includes(job.state)) this.load();
    else this.draw();
  }

  async act(verb, id) {
    const answer = await api.fetchApi(`/likeness/models/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id }),
    });
    if (!answer.ok) {
      const detail = (await answer.json()).error ?? `The server answers ${answer.status}.`;
      app.extensionManager.toast.add({ severity: "error", summary: `Face models: ${id}`, detail, life: 8000 });
    }
    await this.load();
  }

  draw() {
    const needed = neededIds();
    const known = (system) =>
      !this.words || `${system.title} ${system.system} ${system.task}`.toLowerCase().includes(this.words);
    const shown = this.systems.filter(known);
    const parts = [];
    const wanted = shown.flatMap((system) => system.models.filter((m) => needed.has(m.id)).map((m) => [system, m]));
    wanted.sort((a, b) => (a[1].state === "installed") - (b[1].state === "installed"));
    if (wanted.length) {
      parts.push(make("h3", { textContent: "This workflow needs" }));
      parts.push(...wanted.map(([system, model]) => this.card(system, model)));
    }
    for (const task of [...new Set(shown.map((system) => system.task))].sort()) {
      const cards = shown
        .filter((system) => system.task === task)
        .flatMap((system) => {
          const rest = system.models.filter((model) => !needed.has(model.id));
          return system.models.length ? rest.map((model) => this.card(system, model)) : [this.card(system, null)];
        });
      if (cards.length) parts.push(make("h3", { textContent: task.replace("head3d", "3D heads") }), ...cards);
    }
    const top = this.root.querySelector(".likeness-models").scrollTop;
    this.list.replaceChildren(...parts);
    this.root.querySelector(".likeness-models").scrollTop = top;
  }

  card(system, model) {
    const link = make("a", { href: system.paper, target: "_blank", rel: "noreferrer", textContent: "paper" });
    const name = model && system.models.length > 1 ? `${system.title} · ${model.id.split("/")[1]}` : system.title;
    const card = make("article", {}, make("header", {}, make("b", { textContent: name })));
    card.dataset.model = model?.id ?? system.system;
    const header = card.firstChild;
    if (!system.works) header.append(make("span", { className: "badge", textContent: "no node yet" }));
    if (!model) {
      card.append(make("div", { className: "quiet" }, `${system.published} `, link));
      return card;
    }
    const job = model.job && model.job.state !== "done" ? model.job : null;
    const state = job && ["waiting", "running"].includes(job.state) ? job.verb : model.state;
    header.append(make("span", { className: "badge state", textContent: state }));
    header.append(make("span", { className: `badge ${model.commercial}`, textContent: BADGES[model.commercial] }));
    const license = model.license_url
      ? make("a", { href: model.license_url, target: "_blank", rel: "noreferrer", textContent: model.license })
      : model.license;
    card.append(make("div", { className: "quiet" }, `${size(model.bytes)} · `, license, " · ", link));
    card.append(make("div", { className: "quiet", textContent: model.files.map((file) => file.target).join("\n") }));
    if (job?.state === "running" || job?.state === "waiting") {
      const bar = make("progress", { max: job.total || 1 });
      if (job.total) bar.value = job.done;
      card.append(bar, make("div", { className: "quiet", textContent: `${job.file} ${size(job.done || 1)}` }));
    }
    if (job?.state === "failed") card.append(make("div", { className: "says", textContent: job.says }));
    if (model.state === "manual") card.append(make("div", { className: "quiet", textContent: model.steps }));
    card.append(this.buttons(model, job));
    return card;
  }

  buttons(model, job) {
    const button = (verb, label) =>
      make("button", { textContent: label, ariaLabel: `${label} ${model.id}`, onclick: () => this.act(verb, model.id) });
    const busy = job && ["waiting", "running"].includes(job.state);
    const row = make("div", { className: "buttons" });
    if (busy) {
      row.append(button("pause", "Pause"), button("cancel", "Cancel"));
      return row;
    }
    if (!model.accepted && model.state !== "installed") row.append(button("accept", `Accept ${model.license}`));
    else if (["missing", "wrong"].includes(model.state)) row.append(button("download", "Download"));
    else if (model.state === "partial") row.append(button("download", "Resume"), button("cancel", "Discard"));
    if (["installed", "wrong"].includes(model.state)) row.append(button("verify", "Verify"));
    return row;
  }
}

let panel = null;

app.registerExtension({
  name: "Likeness.Models",
  settings: [
    {
      id: "Likeness.Weights.DownloadOnQueue",
      name: "Loaders may download missing weights when a workflow is queued",
      type: "boolean",
      defaultValue: false,
      tooltip: "Non-commercial weights are asked for once all the same.",
    },
  ],
  async setup() {
    app.extensionManager.registerSidebarTab({
      id: "likeness-models",
      icon: "pi pi-face-smile",
      title: "Face models",
      tooltip: "Face models: what is published, installed, missing",
      type: "custom",
      render: (element) => {
        panel?.close();
        panel = new Panel(element);
      },
      destroy: () => {
        panel?.close();
        panel = null;
      },
    });
  },
  afterConfigureGraph() {
    panel?.draw();
  },
});
