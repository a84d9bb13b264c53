// Who goes back twice in haste goes the second time while this page is still being read, before htmx listens: then the
// address is another page's. So this is a classic script at the top of the page.
(() => {
  const address = location.href;
  document.addEventListener("DOMContentLoaded", () => {
    if (location.href !== address) location.reload();
  });
})();
