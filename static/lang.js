/**
 * What the page says, in the person's language. A language is one file of lang/: the same keys as lang/en.js. A text is a
 * string, or, where it depends on a number {n}, an object with the plural forms of its language (CLDR: one, few, many,
 * other). A key that a file lacks is said in English.
 *
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>> & {other: string}} Text
 * @typedef {Record<string, string>} Names a text of the project by language
 */
import { words as english } from './lang/en.js';

const KEPT = 'topi.language';

/** @type {Record<string, Text>} */
let words = english;
let language = 'en';
let plurals = new Intl.PluralRules(language);

/**
 * A text with its values put in; numbers are written as the language writes them.
 * @param {keyof typeof english} key @param {Record<string, string|number>} [values] `n` chooses the plural form
 */
export function t(key, values = {}) {
	const text = words[key] ?? english[key];
	const form = typeof text === 'string' ? text : text[plurals.select(Number(values.n))] ?? text.other;
	return form.replace(/\{(\w+)\}/g, (_, name) => {
		const value = values[name];
		return typeof value === 'number' ? number(value) : String(value);
	});
}

/** @param {number} n */
export const number = (n) => n.toLocaleString(language);

/** A day, or a day with its time. @param {Date} when @param {Intl.DateTimeFormatOptions} [how] */
export const date = (when, how = { dateStyle: 'medium', timeStyle: 'short' }) => when.toLocaleString(language, how);

/** A text of the project in the person's language. @param {string} text as the project has it @param {Names} [names] */
export const inLanguage = (text, names) => names?.[language] ?? text;

/** The language in use: `en`. */
export const current = () => language;

/**
 * Takes the language that was chosen here before, else the first of the browser's that there is a file for.
 * @param {string[]} available codes
 */
export async function chooseLanguage(available) {
	const wanted = [kept(), ...navigator.languages.map((tag) => tag.split('-')[0].toLowerCase()), 'en'];
	await setLanguage(wanted.find((code) => code !== null && available.includes(code)) ?? 'en');
}

/** The person's choice; the screen has to be drawn again after it. @param {string} code */
export async function keepLanguage(code) {
	try {
		localStorage.setItem(KEPT, code);
	} catch {
		// Chosen for this visit then.
	}
	await setLanguage(code);
}

/** @param {string} code */
async function setLanguage(code) {
	words = code === 'en' ? english : (await import(`./lang/${code}.js`)).words;
	language = code;
	plurals = new Intl.PluralRules(code);
	document.documentElement.lang = code;
}

function kept() {
	try {
		return localStorage.getItem(KEPT);
	} catch {
		return null;
	}
}
