// Learning: the guide's Markdown, look-alikes, the practice; and flags.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { serengeti } from './serengeti.mjs';
import { PHONE, onScreen, press, sent, visits } from './support.mjs';

const PROJECT = serengeti();
const taxonOf = (code) => PROJECT.taxa.find((taxon) => taxon.code === code);
const idOf = (code) => taxonOf(code).id;

describe('learning and flags', { timeout: 120_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	async function open(prepare, options) {
		mock = await serve({ project: PROJECT }, prepare);
		page = await visit(options);
		await page.goto(`${mock.url}#/p/mara`);
		return onScreen(page);
	}

	it('makes of Markdown what it names and nothing else', async () => {
		await open();
		const own = taxonOf('zebra').picture;
		const html = (text) => page.evaluate(async ([markdown, picture]) => {
			const { render } = await import('/static/markdown.js');
			const place = document.createElement('div');
			place.append(render(markdown.replaceAll('OWN', picture), '/api/projects/mara/files/'));
			document.body.append(place);
			const made = place.innerHTML.replaceAll(picture, 'OWN');
			place.remove();
			return made;
		}, [text, own]);
		const rows = [
			['# A *b*\n\ntext\nmore', '<h2>A <em>b</em></h2><p>text more</p>'],
			['- one\n- **two**\n\n3. three', '<ul><li>one</li><li><strong>two</strong></li></ul><ol start="3"><li>three</li></ol>'],
			['> said\n> so\n\n---', '<blockquote><p>said so</p></blockquote><hr>'],
			['[there](https://example.org/a_b)', '<p><a href="https://example.org/a_b" rel="noreferrer" target="_blank">there</a></p>'],
			['![a zebra](OWN)', '<p><img alt="a zebra" loading="lazy" src="OWN"></p>'],
			['snake_case_name, 2 * 3 * 4, \\*so\\*, `<b>`', '<p>snake_case_name, 2 * 3 * 4, *so*, <code>&lt;b&gt;</code></p>'],
		];
		for (const [text, wanted] of rows) {
			const sorted = (made) => made.replace(/<(img|a) ([^>]*)>/g, (_, tag, rest) => `<${tag} ${rest.match(/\S+="[^"]*"/g).sort().join(' ')}>`);
			assert.equal(sorted(await html(text)), sorted(wanted), text);
		}
		const evil = ['<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '[x](javascript:alert(1))', '[x](JaVaScRiPt:alert(1))',
			'[x](data:text/html,<script>alert(1)</script>)', '[x](//evil.example)', '![x](https://evil.example/x.png)', '![x](javascript:alert(1))',
			'![x" onerror="alert(1)](OWN)', '![x](/api/projects/mara/files/../../me/export)', '![x](/api/projects/other/files/ab.png)',
			'[x](https://example.org/"onmouseover="alert(1))', '**<iframe src=//evil.example>**', '<a href="javascript:alert(1)">x</a>', `${'*'.repeat(3000)}x`];
		for (const text of evil) {
			const made = await page.evaluate(async ([markdown, picture]) => {
				const { render } = await import('/static/markdown.js');
				const nodes = [...render(markdown.replaceAll('OWN', picture), '/api/projects/mara/files/').querySelectorAll('*')];
				return nodes.map((node) => [node.localName, ...[...node.attributes].map(({ name, value }) => `${name}=${value}`)]);
			}, [text, own]);
			for (const [tag, ...attributes] of made) {
				assert.match(tag, /^(p|span|a|img|strong|em|code|hr)$/, text);
				for (const attribute of attributes)
					assert.match(attribute, /^(alt=|loading=lazy$|rel=noreferrer$|target=_blank$|href=https:\/\/example\.org\/|src=\/api\/projects\/mara\/files\/[0-9a-f]{64}\.png$)/, text);
			}
		}
	});

	it('looks a name up before it is chosen: its page, its look-alikes', async () => {
		const first = await open();
		await press(page, '=');
		assert.equal(await page.getAttribute('.look-up', 'aria-pressed'), 'true');
		await press(page, 't');
		await page.waitForSelector('dialog.reading >> text=yellow socks');
		assert.equal(await page.textContent('dialog.reading h2'), 'Topi');
		assert.deepEqual(await page.locator('.pair').first().locator('figcaption').allTextContents(), ['Topi', 'Hartebeest']);
		assert.equal(await page.locator('.comparison').count(), 2);
		assert.equal(mock.answers.length, 0);
		await press(page, 'Escape');
		assert.equal(await page.getAttribute('.look-up', 'aria-pressed'), 'false');
		await page.click('.look-up');
		await page.click('.taxa .choice:has(.name:text-is("Topi"))');
		await page.click('dialog >> text=This is it');
		await onScreen(page, first);
		await sent(page, mock, 1);
		assert.equal(mock.answers[0].body.taxa[0].taxon, idOf('topi'));
		assert.ok(await page.locator('.choice:has(.name:text-is("Impala")) .alike').count(), 'marked');
		assert.equal(await page.locator('.choice:has(.name:text-is("Giraffe")) .alike').count(), 0);
	});

	it('offers the comparison after what an expert corrects, not after what the model thinks', async () => {
		let shown = await open((server) => {
			server.truths = new Map([[101, idOf('topi')], [103, idOf('topi')]]);
			server.pages.set('practice/topi', { '': 'Its shanks are **yellow**.' });
			server.opinions = new Map([[102, idOf('topi')]]);
		});
		await press(page, 'i'); // impala
		await page.click('.feedback >> text=What tells them apart');
		await page.waitForSelector('dialog >> text=shaped like a lyre');
		await press(page, 'Escape');
		shown = await onScreen(page, shown);
		await press(page, 'i');
		await page.waitForSelector('.feedback >> text=The computer thinks: Topi.');
		assert.equal(await page.locator('.compare').count(), 0);
		assert.equal(await page.locator('dialog[open]').count(), 0);
		await onScreen(page, shown);
		await press(page, 'z'); // no look-alike: what there is to read of the right one
		await page.click('.feedback >> text=About Topi');
		await page.waitForSelector('dialog.reading >> text=yellow socks');
		await page.waitForSelector('dialog.reading >> text=Its shanks are yellow.');
	});

	it('reads the guide and the tutorial', async () => {
		await open((server) => void server, { locale: 'sw' });
		await press(page, '@');
		await page.click('dialog.learn button >> nth=0');
		await page.waitForSelector('dialog.reading >> text=aina 54');
		await page.click('.kinds button >> nth=0');
		await page.waitForSelector('dialog.reading >> text=Nyamera');
	});

	it('practises by keyboard alone, once, and sends nothing', async () => {
		await open((server) => {
			server.practice = [
				{ subject: 102, taxa: [idOf('zebra')], why: 'Its *stripes* meet under the belly.' },
				{ subject: 103, taxa: [11] },
				{ subject: 104, taxa: [idOf('topi'), idOf('zebra')] },
				{ subject: 105, taxa: [idOf('topi')] },
				{ subject: 106, taxa: [idOf('giraffe')] },
				{ subject: 107, taxa: [idOf('lion-male')] },
			];
		});
		await page.waitForSelector('.practice-offer:not([hidden])');
		await page.focus('.practice-offer .primary');
		await press(page, 'Enter');
		await page.waitForSelector('dialog.practice .choice:enabled');
		const lessons = [];
		const answers = [['z'], [' '], ['+', 't', 'z', 'Enter'], ['i'], ['0'], ['m']];
		const verdicts = [];
		for (const keys of answers) {
			await page.waitForSelector('dialog.practice .choice:enabled');
			lessons.push(await page.textContent('.lesson'));
			await press(page, 'ArrowRight', ...keys);
			verdicts.push(await page.textContent('.explained:not([hidden]) h3'));
			if (keys[0] === 'z')
				await page.waitForSelector('.explained em >> text=stripes');
			if (keys[0] === 'i')
				await page.waitForSelector('.explained >> text=shaped like a lyre');
			assert.match(await page.evaluate(() => document.activeElement?.className), /primary/);
			await press(page, 'Enter');
		}
		assert.deepEqual(verdicts, ['Right: Plains zebra.', 'Right: Nothing here.', 'Right: Topi + Plains zebra.',
			'An expert says: Topi. You said: Impala.', 'An expert says: Giraffe. Not to be sure is fine too.', 'Right: Lion, male.']);
		assert.equal(new Set(lessons).size, 6, 'six things to learn');
		await page.waitForSelector('dialog.practice', { state: 'detached' });
		assert.equal(mock.answers.length, 0);
		await page.reload();
		await onScreen(page);
		await page.waitForTimeout(300);
		assert.ok(await page.isHidden('.practice-offer'), 'it is offered once');
		await press(page, '@');
		await page.click('dialog >> text=Practice');
		await page.waitForSelector('dialog.practice .choice:enabled');
		await press(page, 'Escape');
		await page.waitForSelector('dialog.practice', { state: 'detached' });
		await press(page, 'z');
		await sent(page, mock, 1);
	});

	it('keeps the picture in sight beside the explanation on a phone', async () => {
		await open((server) => {
			server.practice = [{ subject: 102, taxa: [idOf('topi')], why: 'Its thighs are dark.' }];
		}, PHONE);
		await page.tap('.practice-offer .primary');
		await page.waitForSelector('dialog.practice .choice:enabled');
		await page.tap('dialog.practice .choice:has-text("Impala")');
		await page.waitForSelector('.explained:not([hidden])');
		const { height } = await page.locator('dialog.practice .stage').boundingBox();
		assert.ok(height > 200, `${height} px of picture`);
		assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
	});

	it('flags what must not be shown, and takes it back', async () => {
		const first = Number(await open());
		await press(page, '!');
		await page.check('.flag:has-text("A person can be recognised") input');
		await page.check('.flag:has-text("A favourite") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent !== '');
		await press(page, 'Escape');
		assert.deepEqual(mock.flags.map(({ subject, kind }) => [subject, kind]), [[first, 'person'], [first, 'favourite']]);
		await press(page, '!');
		await page.waitForSelector('.flag:has-text("A favourite") input:checked');
		await page.uncheck('.flag:has-text("A favourite") input');
		await page.waitForFunction(() => document.querySelector('.flags [role=status]').textContent === 'Taken back.');
		assert.deepEqual(mock.flags.map(({ kind }) => kind), ['person']);
		mock.hooks['before flags'] = () => {
			throw mock.refuse(403, 'denied', 'no');
		};
		await page.locator('.flag:has-text("damaged") input').click();
		await page.waitForSelector('.flags .refusal:not(:empty)');
		assert.equal(await page.isChecked('.flag:has-text("damaged") input'), false, 'what was not noted is not shown as noted');
	});
});
