// The map of images: pointing at one shows it and dims those of other labels; arrow keys walk to the nearest.

const map = document.querySelector("[data-map]");
if (map) {
  const points = [...map.querySelectorAll("a")];
  const picture = map.querySelector(".map-picture");
  const places = points.map((point) => {
    const dot = point.firstElementChild;
    return [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))];
  });
  // One point is reached by Tab, the others from there.
  points[0]?.setAttribute("tabindex", "0");

  const show = (point) => {
    const title = point.querySelector("title").textContent;
    const image = picture.querySelector("img");
    image.hidden = !point.dataset.thumbnail;
    if (point.dataset.thumbnail) image.src = point.dataset.thumbnail;
    picture.querySelector("span").textContent = title;
    picture.classList.toggle("is-right", places[points.indexOf(point)][0] < 500);
    picture.hidden = false;
    map.classList.add("has-chosen");
    for (const other of points) other.classList.toggle("is-like", other.dataset.code === point.dataset.code);
  };
  const hide = () => {
    picture.hidden = true;
    map.classList.remove("has-chosen");
  };
  map.addEventListener("pointerover", (event) => {
    const point = event.target.closest("a");
    if (point) show(point); else hide();
  });
  map.addEventListener("pointerleave", hide);
  map.addEventListener("focusin", (event) => show(event.target.closest("a")));
  map.addEventListener("focusout", hide);

  const directions = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  map.addEventListener("keydown", (event) => {
    const direction = directions[event.key];
    const from = points.indexOf(event.target.closest("a"));
    if (!direction || from < 0) return;
    event.preventDefault();
    let nearest = -1;
    let least = Infinity;
    places.forEach(([x, y], place) => {
      const [right, down] = [x - places[from][0], y - places[from][1]];
      const along = right * direction[0] + down * direction[1];
      const aside = Math.abs(right * direction[1]) + Math.abs(down * direction[0]);
      if (along > 0 && aside <= along && along + aside < least) [nearest, least] = [place, along + aside];
    });
    if (nearest >= 0) {
      points[from].setAttribute("tabindex", "-1");
      points[nearest].setAttribute("tabindex", "0");
      points[nearest].focus();
    }
  });
}
