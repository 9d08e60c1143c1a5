/**
 * Finding a taxon by what somebody types: its name in the person's language, in any other, its scientific name. Accents do
 * not matter; the start of a word comes before the middle of one, and one slip of the finger is forgiven where nothing fits.
 *
 * @typedef {import('./api.js').Taxon} Taxon
 */
import { current } from './lang.js';

const TYPO_FROM = 4;

/** Letters without accents and marks, small. @param {string} text */
const fold = (text) => text.normalize('NFD').replace(/[\p{M}’'`]/gu, '').toLowerCase().trim();

/** @param {string} text */
const wordsOf = (text) => text.split(/[\s,()-]+/).filter(Boolean);

/** What a taxon is called, the person's language first. @param {Taxon} taxon */
function namesOf({ common_name, scientific_name, names = {}, code }) {
	const own = names[current()] ?? common_name;
	return [...new Set([own, common_name, ...Object.values(names), scientific_name, code].map(fold))].filter(Boolean);
}

/** One letter too many, too few, another, or two that changed places, counted against the start of the word. @param {string} typed @param {string} word */
function isTypo(typed, word) {
	let i = 0;
	while (i < typed.length && typed[i] === word[i])
		i++;
	const rest = typed.slice(i);
	const of = word.slice(i);
	return of.startsWith(rest.slice(1)) || of.slice(1).startsWith(rest.slice(1)) || of.slice(1).startsWith(rest) ||
		(rest.length > 1 && of[0] === rest[1] && of[1] === rest[0] && of.slice(2).startsWith(rest.slice(2)));
}

/** How well a name fits: 0 the best, undefined not at all. @param {string} name @param {string} wanted */
function fit(name, wanted) {
	if (name.startsWith(wanted))
		return 0;
	const words = wordsOf(name);
	if (wordsOf(wanted).every((part) => words.some((word) => word.startsWith(part))))
		return 1;
	return name.includes(wanted) ? 2 : undefined;
}

/**
 * The taxa that fit, the best first; of two that fit alike the one that is earlier in the list.
 * @template {Taxon} T
 * @param {T[]} taxa @param {string} typed
 * @returns {T[]}
 */
export function find(taxa, typed) {
	const wanted = fold(typed);
	if (wanted === '')
		return taxa;
	const best = (/** @type {(name: string) => number|undefined} */ rank) => taxa
		.map((taxon) => ({ taxon, rank: namesOf(taxon).map((name, i) => (rank(name) ?? Infinity) + Math.min(i, 1) / 2) }))
		.map(({ taxon, rank: ranks }) => ({ taxon, rank: Math.min(...ranks) }))
		.filter(({ rank: r }) => r < Infinity).sort((a, b) => a.rank - b.rank).map(({ taxon }) => taxon);
	const found = best((name) => fit(name, wanted));
	if (found.length > 0 || wanted.length < TYPO_FROM)
		return found;
	return best((name) => [name, ...wordsOf(name)].some((word) => isTypo(wanted, word)) ? 0 : undefined);
}
