// The sidebar tab "Face models": what is published, what is installed, and a button for the rest.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const BADGES = { yes: "commercial use", no: "non-commercial", unclear: "terms unclear" };
const TASKS = {
  adapt: "Adapt diffusion models", analyze: "Analyze", audit: "Audit", body: "Body and hands", detect: "Detect faces",
  embed: "Embed faces", head3d: "3D heads", landmark: "Landmarks", parse: "Parse faces", reenact: "Reenact",
  render: "Render", swap: "Swap faces", synth: "Make faces", talk: "Talking heads",
};
const STYLE = `
.likeness-models { height: 100%; overflow-y: auto; padding: 12px; box-sizing: border-box; color: var(--fg-color);
  font-size: 13px; line-height: 1.4; }
.likeness-models h2 { font-size: 16px; margin: 0 0 8px; }
.likeness-models h3 { font-size: 12px; margin: 16px 0 6px; text-transform: uppercase; color: var(--descrip-text); }
.likeness-models input { width: 100%; box-sizing: border-box; padding: 6px 8px; border: 1px solid var(--border-color);
  border-radius: 6px; background: var(--comfy-input-bg); color: var(--input-text); }
.likeness-models article { border: 1px solid var(--border-color); border-radius: 8px; padding: 8px 10px;
  margin-bottom: 8px; }
.likeness-models header { display: flex; gap: 4px 6px; align-items: baseline; flex-wrap: wrap; margin-bottom: 6px; }
.likeness-models header b { flex: 1 1 100%; }
.likeness-models .line { display: flex; align-items: baseline; justify-content: space-between; gap: 8px; }
.likeness-models .badge { font-size: 11px; padding: 0 6px; border-radius: 8px; border: 1px solid var(--border-color);
  white-space: nowrap; }
.likeness-models .no { border-color: var(--error-text, #d44); color: var(--error-text, #d44); }
.likeness-models .quiet { color: var(--descrip-text); font-size: 12px; overflow-wrap: anywhere; white-space: pre-line; }
.likeness-models .where { margin-top: 4px; font-size: 12px; }
.likeness-models .where div { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.likeness-models .where .folder { color: var(--descrip-text); direction: rtl; text-align: left; }
.likeness-models details[data-task] { border-top: 1px solid var(--border-color); padding: 6px 0; }
.likeness-models details[data-task] > article:first-of-type { margin-top: 8px; }
.likeness-models summary { cursor: pointer; list-style: revert; display: list-item; }
.likeness-models summary b { margin-right: 8px; }
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

/** A model's files by the folder they are in or go to; what does not fit is cut, the whole path is its title. */
function places(model) {
  const folders = new Map();
  for (const { target } of model.files) {
    const [, folder, name] = target.match(/^(.*)[\\/]([^\\/]+)$/);
    folders.set(folder, [...(folders.get(folder) ?? []), make("div", { textContent: name, title: target })]);
  }
  return [...folders].map(([folder, names]) =>
    make("div", { className: "where" }, ...names,
      make("div", { className: "folder", title: folder }, make("bdi", { textContent: folder }))));
}

/** A link to a page that says more. */
function link(href, textContent) {
  return make("a", { href, target: "_blank", rel: "noreferrer", textContent });
}

/** Why the server refused. */
async function reason(answer) {
  const said = await answer.json().catch(() => ({})); // not ours: a page
  return said.error ?? `The server answers ${answer.status}.`;
}

/** The nodes of a graph and of the subgraphs in it. */
function nodesOf(graph) {
  return (graph?.nodes ?? []).flatMap((node) => [node, ...nodesOf(node.subgraph)]);
}

/** The ids that the open workflow's loaders ask for. */
function neededIds() {
  const nodes = nodesOf(app.rootGraph ?? app.graph);
  const loaders = nodes.filter((node) => (node.comfyClass ?? node.type ?? "").startsWith("LikenessLoad"));
  const choices = loaders.flatMap((node) => (node.widgets ?? []).filter((widget) => widget.name === "model"));
  return new Set(choices.map((widget) => widget.value));
}

class Panel {
  constructor(root) {
    this.root = root;
    this.systems = [];
    this.words = "";
    this.open = new Set(); // the tasks whose systems are in view
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
    this.look = () => {
      if (this.needed !== [...neededIds()].sort().join()) this.draw();
    };
    api.addEventListener("likeness.models", this.hear);
    api.addEventListener("graphChanged", this.look);
    this.load();
  }

  close() {
    api.removeEventListener("likeness.models", this.hear);
    api.removeEventListener("graphChanged", this.look);
  }

  async load() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    const answer = await api.fetchApi("/likeness/models");
    if (asked !== this.asked) return; // asked again since: that answer counts
    if (!answer.ok) {
      this.list.replaceChildren(make("p", { className: "says", textContent: await reason(answer) }));
      return;
    }
    const systems = await answer.json();
    if (asked !== this.asked) return;
    this.systems = systems;
    this.draw();
  }

  news(job) {
    const model = this.systems.flatMap((system) => system.models).find((known) => known.id === job.id);
    if (!model) return;
    const moved = model.job?.state === "running" && job.state === "running";
    model.job = job;
    if (["done", "failed", "paused"].includes(job.state)) this.load();
    else if (!moved || !this.move(job)) this.draw();
  }

  /** Show how far a job is where it is shown already: a list drawn anew would take its buttons from under the mouse. */
  move(job) {
    const bar = this.list.querySelector(`[data-model="${CSS.escape(job.id)}"] progress`);
    if (bar) bar.replaceWith(this.bar(job)[0]);
    const says = this.list.querySelector(`[data-model="${CSS.escape(job.id)}"] .far`);
    if (says) says.replaceWith(this.bar(job)[1]);
    return Boolean(bar);
  }

  bar(job) {
    const bar = make("progress", { max: job.total || 1 });
    if (job.total) bar.value = job.done;
    const far = job.total ? `${size(job.done || 1)} of ${size(job.total)}` : size(job.done || 1);
    return [bar, make("div", { className: "quiet far", textContent: job.file ? `${job.file} ${far}` : "waiting" })];
  }

  async act(verb, ...ids) {
    for (const id of ids) {
      const answer = await api.fetchApi(`/likeness/models/${verb}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ id }),
      });
      if (!answer.ok) {
        const detail = await reason(answer);
        app.extensionManager.toast.add({ severity: "error", summary: `Face models: ${id}`, detail, life: 8000 });
      }
    }
    await this.load();
  }

  draw() {
    const needed = neededIds();
    this.needed = [...needed].sort().join();
    const words = this.words.split(" ").filter(Boolean);
    const known = (system) => {
      const text = `${system.title} ${system.system} ${system.task} ${system.models.map((model) => model.id)}`;
      return words.every((word) => text.toLowerCase().includes(word));
    };
    const shown = this.systems.filter(known);
    const parts = [];
    const all = this.systems.flatMap((system) => system.models.map((model) => [system, model]));
    const wanted = all.filter(([, model]) => needed.has(model.id));
    wanted.sort((a, b) => (a[1].state === "installed") - (b[1].state === "installed"));
    if (wanted.length) {
      parts.push(make("div", { className: "line" }, make("h3", { textContent: "This workflow needs" }),
        this.everything(wanted.map(([, model]) => model))));
      parts.push(...wanted.map(([system, model]) => this.card(system, model)));
    }
    parts.push(make("h3", { textContent: "Published systems" }));
    for (const task of [...new Set(shown.map((system) => system.task))].sort()) {
      parts.push(this.group(task, shown.filter((system) => system.task === task), needed));
    }
    if (!shown.length) parts.push(make("p", { className: "quiet", textContent: "No system has these words." }));
    const scrolled = this.root.querySelector(".likeness-models");
    const top = scrolled.scrollTop;
    this.list.replaceChildren(...parts);
    scrolled.scrollTop = top;
  }

  /** One button for all that a click can bring, where that is more than one set of weights. */
  everything(wanted) {
    const brought = wanted.filter((model) =>
      model.accepted && ["missing", "wrong", "partial"].includes(model.state) && !this.busy(model.job));
    if (brought.length < 2) return null;
    const known = brought.every((model) => model.bytes);
    const label = known ? `Download all (${size(brought.reduce((sum, model) => sum + model.bytes, 0))})` : "Download all";
    return make("button", { textContent: label, onclick: () => this.act("download", ...brought.map((model) => model.id)) });
  }

  busy(job) {
    return ["waiting", "running"].includes(job?.state);
  }

  /** The systems of a task, folded until they are asked for; what a node can load first, what nobody published last. */
  group(task, systems, needed) {
    const models = systems.flatMap((system) => system.models);
    const installed = models.filter((model) => model.state === "installed").length;
    const about = models.length ? `${installed} of ${models.length} installed` : "no weights published";
    const rank = (system) => (system.models.length ? 0 : 2) + (system.works ? 0 : 1);
    const cards = [...systems]
      .sort((a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title))
      .flatMap((system) => {
        const rest = system.models.filter((model) => !needed.has(model.id));
        return system.models.length ? rest.map((model) => this.card(system, model)) : [this.card(system, null)];
      });
    const summary = make("summary", {}, make("b", { textContent: TASKS[task] ?? task }),
      make("span", { className: "quiet", textContent: about }));
    const group = make("details", { open: Boolean(this.words) || this.open.has(task) }, summary, ...cards);
    group.dataset.task = task;
    summary.onclick = () => (group.open ? this.open.delete(task) : this.open.add(task));
    return group;
  }

  card(system, model) {
    const paper = link(system.paper, "paper");
    const name = model && system.models.length > 1 ? `${system.title} · ${model.id.split("/")[1]}` : system.title;
    const card = make("article", {}, make("header", {}, make("b", { textContent: name })));
    card.dataset.model = model?.id ?? system.system;
    const header = card.firstChild;
    if (!system.works) header.append(make("span", { className: "badge", textContent: "no node yet" }));
    if (!model) {
      card.append(make("div", { className: "quiet" }, `${system.published} `, paper));
      return card;
    }
    const job = model.job && model.job.state !== "done" ? model.job : null;
    const state = this.busy(job) ? job.verb : model.state;
    header.append(make("span", { className: "badge state", textContent: state }));
    header.append(make("span", { className: `badge ${model.commercial}`, textContent: BADGES[model.commercial] }));
    const license = model.license_url ? link(model.license_url, model.license) : model.license;
    const pages = model.pages.flatMap((url) => [" · ", link(url, new URL(url).hostname.replace(/^www\./, ""))]);
    card.append(make("div", { className: "quiet" }, `${size(model.bytes)} · `, license, " · ", paper, ...pages));
    if (model.needs) card.append(make("div", { className: "quiet", textContent: model.needs }));
    card.append(...places(model));
    if (this.busy(job)) card.append(...this.bar(job));
    if (job?.state === "failed") card.append(make("div", { className: "says", textContent: job.says }));
    const found = model.job?.verb === "verify" && model.job.state === "done" ? model.job.says : "";
    if (found) card.append(make("div", { className: "quiet found", textContent: `Verified: ${found}` }));
    if (model.state === "manual") {
      const steps = make("div", { className: "quiet", textContent: model.steps });
      const links = model.pages.map((url) => make("div", { className: "quiet" }, link(url, url)));
      card.append(make("details", {}, make("summary", { textContent: "How to get it" }), steps, ...links));
    }
    card.append(this.buttons(model, job));
    return card;
  }

  buttons(model, job) {
    const button = (verb, label) =>
      make("button", { textContent: label, ariaLabel: `${label} ${model.id}`, onclick: () => this.act(verb, model.id) });
    const row = make("div", { className: "buttons" });
    if (this.busy(job)) {
      row.append(button("pause", "Pause"), button("cancel", "Cancel"));
      return row;
    }
    if (model.state === "manual") row.append(button("download", "Look again"));
    else if (!model.accepted && model.state !== "installed") row.append(button("accept", `Accept ${model.license}`));
    else if (["missing", "wrong"].includes(model.state)) row.append(button("download", "Download"));
    else if (model.state === "partial") row.append(button("download", "Resume"), button("cancel", "Discard"));
    if (["installed", "wrong"].includes(model.state)) row.append(button("verify", "Verify"));
    return row;
  }
}

const told = new Set(); // ids that a workflow was said to lack since the page was loaded

/** Say once, when a workflow is opened, which of its weights are missing, how big they are and under which licence. */
async function tellMissing() {
  const needed = neededIds();
  if (![...needed].some((id) => !told.has(id))) return;
  const answer = await api.fetchApi("/likeness/models");
  if (!answer.ok) return; // the panel says so
  const models = (await answer.json()).flatMap((system) => system.models);
  const missing = models.filter((model) => needed.has(model.id) && model.state !== "installed" && !told.has(model.id));
  for (const model of missing) told.add(model.id);
  if (!missing.length) return;
  const lines = missing.map((model) => `${model.id}: ${size(model.bytes)}, ${model.license}`);
  app.extensionManager.toast.add({
    severity: "warn",
    summary: "This workflow needs face models that are not installed",
    detail: [...lines, "Get them in the sidebar: Face models."].join("\n"),
    life: 12000,
  });
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
    tellMissing(); // not waited for: the graph is ready
  },
});
