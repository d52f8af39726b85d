/* Tells Python which hours the reader brushed in the chart below `.st-key-<data.chart>`, and that a double click wants
   all of them back. Streamlit mounts a chart anew whenever its figure changes, so the page must know the zoom to keep
   it. Each report carries the revision of the very figure that was brushed: whose it is, and since which reset. */
export default function (component) {
  const { data, setStateValue } = component;
  let plot = null;
  const report = (span) => setStateValue("zoom", { of: plot.layout.uirevision, span });
  const brushed = (change) => {
    const span = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (span.every(Number.isFinite)) report(span);
  };
  const wantsAll = () => report(null);
  const leave = () => {
    // A chart that is gone has no listeners any more, nor a way to remove them.
    plot?.removeListener?.("plotly_relayout", brushed);
    plot?.removeListener?.("plotly_doubleclick", wantsAll);
  };
  const follow = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
    if (!found?.on || found === plot) return;
    leave();
    plot = found;
    plot.on("plotly_relayout", brushed);
    plot.on("plotly_doubleclick", wantsAll);
  };
  follow();
  const watch = setInterval(follow, 100);
  return () => {
    clearInterval(watch);
    leave();
  };
}
