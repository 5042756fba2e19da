// The layout shift so far that followed no input, as the browser itself measures it, and its largest sources.
() => new Promise((done) => {
  let total = 0;
  const sources = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      total += entry.value;
      for (const { node } of entry.sources) sources.push(node?.id || node?.className || node?.nodeName);
    }
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done({ total, sources }), 100);
})
