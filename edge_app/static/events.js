// Server-sent events of an answer to a POST, which EventSource cannot ask for.

// Calls `onEvent(name, data)` for each event; ends with the answer.
export async function readEvents(response, onEvent) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => !line.startsWith(":")).map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]);
      const { event, data } = Object.fromEntries(lines);
      if (event && data) onEvent(event, JSON.parse(data));
    }
  }
}
