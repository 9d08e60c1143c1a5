// The page's languages: the same keys and values to put in, in every file; and no module says anything past them.
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { describe, it } from 'node:test';

const STATIC = new URL('../../static/', import.meta.url);
const codes = (await readdir(new URL('lang/', STATIC))).map((file) => file.replace('.js', ''));
const modules = (await readdir(STATIC)).filter((file) => file.endsWith('.js'));
const read = (file) => readFile(new URL(file, STATIC), 'utf8');
const words = Object.fromEntries(await Promise.all(codes.map(async (code) =>
	[code, (await import(new URL(`lang/${code}.js`, STATIC))).words])));

const forms = (text) => typeof text === 'string' ? [text] : Object.values(text);
/** What a text wants put in. A plural form may leave the number out: "one", "both". */
const wanted = (text) => [...new Set(forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();

/** The string literals of a module with what stands before them; comments left out. */
function literals(text) {
	const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');
	return [...code.matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n])*)\1/g)].map((m) => ({ text: m[2], before: code.slice(0, m.index) }));
}

/** Words that no person reads: keys of the keyboard, HTTP, names of types. */
const NAMES = /^(Enter|Escape|Backspace|Delete|Space|Tab|Home|End|Arrow\w+|Page(Up|Down)|Shift|Date|Application|X-Topi|Content-Type|Retry-After|[A-Z]\w+Error|GET|POST)$/;
/** Where a literal is none: class lists, selectors, marks of attributes, and errors of the program itself. */
const CODE = /((class|className|rel|transform|filter|viewBox|d|points)(:| =) [^,}\n]*|new Error\(|querySelector(All)?\(|matches\(|closest\()$/;

/** Whether a literal is something to read: a capital letter first, or two words in a row. */
function isSaid({ text, before }) {
	const bare = text.replace(/\$\{[^}]*\}/g, '');
	if (NAMES.test(bare) || CODE.test(before))
		return false;
	return /^\p{Lu}\p{Ll}+[.?!…]?$/u.test(bare.trim()) || /\p{L}{2,}[,.:;]? \p{L}{2,}/u.test(bare);
}

describe('the words of the page', () => {
	it('are there in four languages at least', () => {
		for (const code of ['en', 'es', 'fr', 'sw'])
			assert.ok(codes.includes(code), code);
	});

	for (const code of codes)
		it(`in ${code} have the keys and places of the English ones`, () => {
			assert.deepEqual(Object.keys(words[code]).sort(), Object.keys(words.en).sort());
			const { pluralCategories } = new Intl.PluralRules(code).resolvedOptions();
			for (const [key, text] of Object.entries(words[code])) {
				assert.deepEqual(wanted(text), wanted(words.en[key]), key);
				assert.equal(typeof text, typeof words.en[key], key);
				assert.ok(forms(text).every((form) => form.trim() !== ''), key);
				if (typeof text === 'object')
					assert.ok('other' in text && Object.keys(text).every((form) => pluralCategories.includes(form)), key);
			}
		});

	it('are all used, and there is none that a module asks for in vain', async () => {
		const code = (await Promise.all(modules.map(read))).join('\n');
		const asked = [...code.matchAll(/\bt\([^)]*?'([\w-]+\.\w+)'/g)].map((m) => m[1]);
		for (const key of asked)
			assert.ok(key in words.en, `${key} is asked for`);
		const made = [...code.matchAll(/[`]([\w-]+\.)\$\{/g)].map((m) => m[1]); // t(`api.${status}`)
		for (const key of Object.keys(words.en))
			assert.ok(code.includes(`'${key}'`) || made.some((start) => key.startsWith(start)), `${key} is used`);
	});

	it('finds a sentence where one is written into a module', () => {
		const said = (text) => literals(text).filter(isSaid).length;
		assert.equal(said("el('p', {}, 'Loading')"), 1);
		assert.equal(said('say(`${n} pictures were found`)'), 1);
		assert.equal(said("el('p', { class: 'problem note' }, t('a.b')); // 'not a word of this'"), 0);
	});

	for (const file of modules)
		it(`are not in ${file} itself`, async () => {
			assert.deepEqual(literals(await read(file)).filter(isSaid).map((one) => one.text), []);
		});
});
