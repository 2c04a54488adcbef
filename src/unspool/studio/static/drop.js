// @ts-check
// A box to drop files on.

/** @param {HTMLElement} box  @param {(file: File) => void} take gets the first file */
export function onDrop(box, take) {
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}
