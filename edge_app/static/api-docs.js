// Shows /openapi.json to people. Text only goes in as text: nothing of the description is taken for markup.

function element(name, { text, className, href, id } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  if (href) made.href = href;
  if (id) made.id = id;
  made.append(...children);
  return made;
}

// A schema with its references followed; one that refers to itself is named the second time.
function resolved(schema, components, seen = []) {
  if (Array.isArray(schema)) return schema.map((item) => resolved(item, components, seen));
  if (schema === null || typeof schema !== "object") return schema;
  const name = schema.$ref?.split("/").pop();
  if (name) return seen.includes(name) ? name : resolved(components.schemas[name], components, [...seen, name]);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, resolved(value, components, seen)]));
}

function contents(title, content, components) {
  return Object.entries(content).flatMap(([type, { schema }]) => [
    element("h4", { text: `${title}: ${type}` }),
    element("pre", { text: JSON.stringify(resolved(schema ?? {}, components), null, 2) }),
  ]);
}

function kindOf(schema) {
  if (schema.anyOf) return schema.anyOf.map(kindOf).filter((kind) => kind !== "null").join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  const bounds = [schema.minimum, schema.maximum].filter((bound) => bound !== undefined).join(" to ");
  return [schema.type ?? "", bounds].join(" ").trim();
}

function parameters(list, components) {
  const rows = list.map((parameter) => {
    const schema = resolved(parameter.schema, components);
    const usual = schema.default === undefined || schema.default === "" ? "" : `${schema.default} if left out`;
    return element(
      "tr",
      {},
      element("td", {}, element("code", { text: parameter.name })),
      element("td", { text: parameter.in }),
      element("td", { text: kindOf(schema) }),
      element("td", { text: parameter.required ? "needed" : usual, className: "quiet" }),
    );
  });
  return element("table", {}, ...rows);
}

function operation(method, path, described, components) {
  const summary = element(
    "summary",
    {},
    element("span", { text: method.toUpperCase(), className: "method" }),
    element("code", { text: path }),
    element("span", { text: ` ${(described.description ?? described.summary ?? "").replaceAll("`", "")}`, className: "quiet" }),
  );
  const parts = [summary];
  if (described.parameters?.length) parts.push(parameters(described.parameters, components));
  if (described.requestBody) parts.push(...contents("Send", described.requestBody.content, components));
  for (const [status, answer] of Object.entries(described.responses)) {
    if (status !== "default") parts.push(...contents(`Answer ${status}`, answer.content ?? {}, components));
  }
  return element("details", {}, ...parts);
}

async function show() {
  const main = document.getElementById("operations");
  const answer = await fetch("openapi.json");
  if (!answer.ok) {
    main.textContent = "The description cannot be read. Reload the page.";
    return;
  }
  const described = await answer.json();
  document.getElementById("about").textContent = described.info.description;
  const byTag = new Map();
  for (const [path, item] of Object.entries(described.paths)) {
    for (const [method, what] of Object.entries(item)) {
      const tag = what.tags?.[0] ?? "other";
      byTag.set(tag, [...(byTag.get(tag) ?? []), operation(method, path, what, described.components)]);
    }
  }
  main.replaceChildren(
    ...[...byTag].map(([tag, found]) => element("section", { id: tag }, element("h2", { text: tag }), ...found)),
  );
  const links = [...byTag.keys()].map((tag) => element("a", { text: tag, href: `#${tag}` }));
  document.getElementById("tags").replaceChildren(...links);
}

show();
