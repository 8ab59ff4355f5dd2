// Pick Faces: the faces that a run found, as thumbnails. A click writes who is picked into the node's text "picked",
// as an identity or a track, so that it is saved with the workflow and runs without this page.
import { app } from "../../scripts/app.js";

const KIND = "LikenessPickFaces";
const HEIGHT = 150; // of the thumbnails at least, in the canvas's units
const STYLE = `
.likeness-pick { display: flex; flex-direction: column; gap: 6px; height: 100%; min-height: ${HEIGHT}px;
  box-sizing: border-box; color: var(--fg-color); font-size: 12px; line-height: 1.35; }
.likeness-pick .people { display: grid; grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); gap: 6px;
  overflow-y: auto; flex: 0 1 auto; align-content: start; padding: 2px; }
.likeness-pick .face { position: relative; aspect-ratio: 1; padding: 0; border: 2px solid var(--border-color);
  border-radius: 8px; overflow: hidden; cursor: pointer; background: var(--comfy-input-bg); }
.likeness-pick .face img { display: block; width: 100%; height: 100%; object-fit: cover; }
.likeness-pick .face span { position: absolute; left: 4px; bottom: 4px; padding: 0 6px; border-radius: 8px;
  background: #000a; color: #fff; font-size: 11px; }
.likeness-pick .face:hover, .likeness-pick .face:focus-visible { border-color: var(--input-text); outline: none; }
.likeness-pick .face[aria-pressed=true] { border-color: #2f7df6; box-shadow: 0 0 0 2px #2f7df6; }
.likeness-pick .face[aria-pressed=true]::after { content: "\\2713"; position: absolute; right: 4px; top: 4px;
  width: 18px; height: 18px; line-height: 18px; border-radius: 50%; background: #2f7df6; color: #fff; font-size: 12px; }
.likeness-pick .face[aria-disabled=true] { cursor: not-allowed; }
.likeness-pick .says { color: var(--descrip-text); overflow-wrap: anywhere; }
.likeness-pick .foot { display: flex; gap: 8px; align-items: center; }
.likeness-pick .foot .says { flex: 1; }
.likeness-pick .clear { padding: 2px 10px; border: 1px solid var(--border-color); border-radius: 6px; cursor: pointer;
  background: var(--comfy-input-bg); color: var(--input-text); font-size: 12px; }
`;

const shown = new Map(); // what the last run found, by graph and node: undoing a step makes its nodes anew

/** An element with properties and children; text is never read as HTML. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

class Picker {
  constructor(node) {
    this.node = node;
    this.text = node.widgets.find((widget) => widget.name === "picked");
    this.text.hidden = true; // the thumbnails stand for it
    this.text.options.hidden = true; // the same for Nodes 2.0
    this.root = make("div", { className: "likeness-pick" });
    const options = { serialize: false, hideOnZoom: false, getMinHeight: () => HEIGHT, getValue: () => "", setValue() {} };
    this.widget = node.addDOMWidget("people", "likeness_people", this.root, options);
    this.widget.serialize = false;
    const executed = node.onExecuted;
    node.onExecuted = (output) => {
      executed?.call(node, output);
      if (output?.likeness_people) shown.set(this.key(), output);
      this.draw();
    };
    this.draw();
  }

  key() {
    return `${this.node.graph?.id}/${this.node.id}`;
  }

  /** The choices in the text, each as the text that the node gave for it. */
  choices() {
    try {
      const held = JSON.parse(this.text.value || "[]");
      return Array.isArray(held) ? held.map((one) => JSON.stringify(one)) : [];
    } catch {
      return []; // the node says what is wrong with it when it runs
    }
  }

  write(choices) {
    const graph = this.node.graph;
    graph?.beforeChange?.(this.node);
    this.text.value = choices.length ? `[${choices.join(",")}]` : "";
    this.text.callback?.(this.text.value);
    graph?.afterChange?.(this.node); // a step that can be undone
    graph?.setDirtyCanvas?.(true, true);
    this.draw();
  }

  /** The choice that stands for a face: what a click on it wrote, or an earlier one that a run found to be this person. */
  choiceOf(face, choices) {
    return choices.includes(face.choice) ? face.choice : choices.includes(face.held) ? face.held : null;
  }

  click(face, more) {
    if (!face.choice) return;
    const choices = this.choices();
    const mine = this.choiceOf(face, choices);
    if (mine) this.write(more ? choices.filter((one) => one !== mine) : choices.length > 1 ? [mine] : []);
    else this.write(more ? [...choices, face.choice] : [face.choice]);
  }

  face(face, choices) {
    const name = face.where ? `${face.label} in ${face.where}` : face.label;
    const button = make("button", { className: "face", type: "button", title: face.choice ? `Pick ${name}` : name },
      make("img", { src: face.picture, alt: "", draggable: false }), make("span", { textContent: face.label }));
    button.ariaLabel = `Pick ${name}`;
    button.ariaPressed = String(Boolean(this.choiceOf(face, choices)));
    button.ariaDisabled = String(!face.choice);
    button.onclick = (event) => this.click(face, event.ctrlKey || event.metaKey || event.shiftKey);
    return button;
  }

  draw() {
    const output = shown.get(this.key());
    const choices = this.choices();
    const faces = output?.likeness_people ?? [];
    const count = choices.length;
    const kind = count && choices.every((one) => "identity" in JSON.parse(one)) ? "by identity" : "by track, of one clip";
    const picked = count ? `${count === 1 ? "1 person" : `${count} people`} picked, ${kind}.` : "Nobody picked: all go on.";
    const foot = make("div", { className: "foot" }, make("div", { className: "says", textContent: picked }));
    if (count) foot.append(make("button", { className: "clear", type: "button", textContent: "Clear",
      onclick: () => this.write([]) }));
    const says = output ? output.likeness_says ?? [] : ["Run to see who is here."];
    this.root.replaceChildren(
      make("style", { textContent: STYLE }),
      make("div", { className: "people" }, ...faces.map((face) => this.face(face, choices))),
      foot,
      ...says.map((text) => make("div", { className: "says", textContent: text })),
    );
  }
}

const pickers = new WeakMap();

app.registerExtension({
  name: "Likeness.Pick",
  nodeCreated(node) {
    if (node.comfyClass !== KIND && node.constructor.comfyClass !== KIND) return;
    pickers.set(node, new Picker(node));
    const [width, height] = node.size;
    node.setSize([Math.max(width, 300), Math.max(height, node.computeSize()[1])]);
  },
  loadedGraphNode(node) {
    pickers.get(node)?.draw();
  },
});
