// A room's name that can be read and said, and not be guessed: five words of 2,048, 55 bits.
const WORDS = 5;

export async function newRoomName(crypto = globalThis.crypto) {
  const { wordlist } = await import("../vendor/bip39-english.js");
  const numbers = crypto.getRandomValues(new Uint16Array(WORDS));
  return Array.from(numbers, (number) => wordlist[number % wordlist.length]).join("-");
}
