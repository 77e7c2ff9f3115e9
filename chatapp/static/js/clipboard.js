// Copies text to the clipboard. Resolves to whether that worked.
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithSelection(text); // browsers offer navigator.clipboard only over TLS
  }
}

function copyWithSelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.classList.add("unseen");
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return isDone;
}
