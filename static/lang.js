/**
 * What the page says, in the person's language. A language is one file of lang/ with the keys of lang/en.js and nothing
 * else: the server writes the files' names into the page's head.
 *
 * @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>> & {other: string}} Text
 * @typedef {Record<string, string>} Names a text of the project by language
 * @typedef {keyof typeof english} Key
 */
import { words as english } from './lang/en.js';

const KEPT = 'topi.language';

/** @type {Record<string, Text>} */
let words = english;
let language = 'en';
let plurals = new Intl.PluralRules(language);

/** The files of the languages by code: `fr` → `fr.js?HASH`. */
const files = new Map((document.querySelector('meta[name="languages"]')?.getAttribute('content') ?? 'en.js').split(' ')
	.map((file) => [file.split('.')[0], file]));

/** The languages there are, by their codes. */
export const languages = [...files.keys()];

/**
 * A text with its values put in; numbers are written as the language writes them.
 * @param {Key} key @param {Record<string, string|number>} [values] `n` chooses the plural form
 */
export function t(key, values = {}) {
	const text = words[key] ?? english[key];
	const form = typeof text === 'string' ? text : text[plurals.select(Number(values.n))] ?? text.other;
	return form.replace(/\{(\w+)\}/g, (_, name) => {
		const value = values[name];
		return typeof value === 'number' ? number(value) : String(value);
	});
}

/** Whether there is such a text. @param {string} key @returns {key is Key} */
export const isKey = (key) => key in english;

/** @param {number} n @param {Intl.NumberFormatOptions} [how] */
export const number = (n, how) => n.toLocaleString(language, how);

/** A day, or a day with its time. @param {Date} when @param {Intl.DateTimeFormatOptions} [how] */
export const date = (when, how = { dateStyle: 'medium', timeStyle: 'short' }) => when.toLocaleString(language, how);

/** The time, and where it was not today the day too. @param {Date} at */
export const when = (at) => date(at, at.toDateString() === new Date().toDateString() ? { timeStyle: 'short' } : undefined);

/** "zebra, topi and lion". @param {string[]} texts */
export const list = (texts) => new Intl.ListFormat(language).format(texts);

/** What went wrong as a sentence of its own. @param {string} text */
export const sentence = (text) => `${text.charAt(0).toLocaleUpperCase(language)}${text.slice(1)}.`;

/** A text of the project in the person's language. @param {string} text as the project has it @param {Names} [names] */
export const inLanguage = (text, names) => names?.[language] ?? text;

/** The language in use: `en`. */
export const current = () => language;

/** What speakers of a language call it. @param {string} code */
export function nameOfLanguage(code) {
	const name = new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code;
	return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
}

/** Takes the language that was chosen here before, else the first of the browser's that there is a file for. */
export async function chooseLanguage() {
	const wanted = [kept(), ...navigator.languages.map((tag) => tag.split('-')[0].toLowerCase())];
	await setLanguage(wanted.find((code) => code !== null && languages.includes(code)) ?? 'en');
}

/** The person's choice; the screen has to be drawn again after it. @param {string} code */
export async function keepLanguage(code) {
	await setLanguage(code);
	try {
		localStorage.setItem(KEPT, code);
	} catch {
		// Chosen for this visit then.
	}
}

/** English stays where the file of a language cannot be had. @param {string} code */
async function setLanguage(code) {
	words = code === 'en' ? english : (await import(`./lang/${files.get(code)}`)).words;
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
