// Resolves to whether `text` is on the clipboard now.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithSelection(text); // without TLS there's no other way
  }
}

function copyWithSelection(text) {
  const place = document.createElement("textarea");
  place.value = text;
  place.classList.add("unseen");
  const focused = document.activeElement;
  document.body.append(place);
  place.select();
  const isDone = document.execCommand("copy");
  place.remove();
  focused?.focus();
  return isDone;
}
