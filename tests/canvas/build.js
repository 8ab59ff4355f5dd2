// Builds a described graph (graph.py) on the open canvas and gives what Save would write.
async ({ id, nodes, columns, frames }) => {
  const { app } = await import('/scripts/app.js')
  const GAP = 60 // below a node: Nodes 2.0 draws it higher than it is said to be
  const MARGIN = 20 // around a frame's nodes
  const TITLE = LiteGraph.NODE_TITLE_HEIGHT // above a node's own position
  const graph = app.rootGraph
  graph.clear()
  graph.id = id

  const built = nodes.map(({ kind, title, values }) => {
    const node = LiteGraph.createNode(kind)
    if (!node) throw new Error(`Expected an installed node, got ${kind}.`)
    graph.add(node)
    if (title) node.title = title
    for (const [name, value] of Object.entries(values)) {
      const widget = node.widgets?.find((w) => w.name === name)
      if (!widget) throw new Error(`${kind} has no widget ${name}, but ${node.widgets?.map((w) => w.name)}.`)
      const options = typeof widget.options?.values === 'function' ? widget.options.values() : widget.options?.values
      if (Array.isArray(options) && !options.includes(value))
        throw new Error(`${kind}: expected one of ${options} for ${name}, got ${value}.`)
      widget.value = value
      widget.callback?.(value)
    }
    return node
  })

  nodes.forEach(({ kind, links }, index) => {
    for (const [input, origin, output] of links) {
      const from = built[origin].findOutputSlot(output)
      const to = built[index].findInputSlot(input)
      if (from < 0) throw new Error(`${nodes[origin].kind} has no output ${output}, but ${built[origin].outputs.map((o) => o.name)}.`)
      if (to < 0) throw new Error(`${kind} has no input ${input}, but ${built[index].inputs.map((i) => i.name)}.`)
      if (!built[origin].connect(from, built[index], to)) throw new Error(`${kind}.${input} does not take ${output}.`)
    }
  })

  built.forEach((node, i) => {
    const [width, height] = nodes[i].room
    node.setSize([width, Math.max(height, Math.ceil(node.computeSize()[1]))])
  })
  const room = (node) => node.size[1] + TITLE + GAP
  const lanes = Math.max(...columns.map((column) => column.lanes.length))
  const starts = [0]
  for (let lane = 0; lane < lanes; lane++) {
    const followed = columns.filter((column) => column.lanes.length > lane + 1)
    const heights = followed.map(({ top, lanes }) => lanes[lane].reduce((y, i) => y + room(built[i]), lane ? 0 : top))
    starts.push(starts[lane] + Math.max(0, ...heights) + 3 * MARGIN) // room for a frame's title
  }
  let x = 0
  for (const { top, lanes } of columns) {
    lanes.forEach((lane, number) => {
      let y = starts[number] + (number ? 0 : top)
      for (const i of lane) {
        built[i].pos = [x, y]
        y += room(built[i])
      }
    })
    x += Math.max(...lanes.flat().map((i) => nodes[i].room[0])) + 4 * MARGIN
  }
  for (const { title, nodes } of frames) {
    const inside = nodes.map((i) => built[i])
    const left = Math.min(...inside.map((node) => node.pos[0])) - MARGIN
    const right = Math.max(...inside.map((node) => node.pos[0] + node.size[0])) + MARGIN
    const frame = new LiteGraph.LGraphGroup(title)
    const top = Math.min(...inside.map((node) => node.pos[1])) - TITLE - MARGIN - frame.titleHeight
    const bottom = Math.max(...inside.map((node) => node.pos[1] + node.size[1])) + GAP
    frame.pos = [left, top]
    frame.size = [right - left, bottom - top]
    graph.add(frame)
  }

  app.canvas.ds.scale = 1 // it is saved, and would be another for another window
  app.canvas.ds.offset = [100, 200]
  return JSON.stringify(graph.serialize()) // as Save does: what is undefined is left out
}
