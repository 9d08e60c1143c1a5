// One's own page: what it shows, and what one may do with one's data.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { beforeEach, describe, it } from 'node:test';
import { onScreen, sent, signUp, visits } from './support.mjs';

const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
const PAGE = {
	n_answers: 1204, days: [{ date: day(0), n: 40 }, { date: day(3), n: 10 }, { date: day(30), n: 2 }],
	projects: [{
		slug: 'mara', title: 'Mara Triangle', n_answers: 1204, skill: { p: 0.93, low: 0.88, high: 0.97 },
		species: [{ taxon: 12, name: 'Plains zebra', n: 300 }, { taxon: 13, name: 'Topi', n: 12 }],
		best: [{ taxon: 12, name: 'Plains zebra', p: 0.98, low: 0.93, high: 1, n: 40 }],
		mixed: [{ truth: 13, truth_name: 'Topi', said: 14, said_name: 'Blue wildebeest', n: 3 }],
	}],
	favourites: [{ slug: 'mara', subject: 101, thumb: '/media/1000/320.jpg' }, { slug: 'mara', subject: 102 }],
};

describe('one’s own page', { timeout: 120_000 }, () => {
	const { visit, serve } = visits();
	let mock, page;

	beforeEach(async () => {
		mock = await serve();
		page = await visit();
	});

	it('tells what one gave, saw and knows', async () => {
		mock.page = PAGE;
		await page.goto(`${mock.url}#/me`);
		await page.waitForSelector('.my-projects');
		const text = await page.textContent('main');
		for (const said of ['You have given 1,204 answers', 'Answers on 2 of the last 14 days', 'right about 93% of the time (between 88% and 97%)',
			'Plains zebra 300', 'Plains zebra 98% (93% to 100%)', 'Topi taken for Blue wildebeest, 3 times'])
			assert.ok(text.includes(said), `${said} in ${text}`);
		assert.equal(await page.locator('.day').count(), 60);
		assert.equal(await page.locator('.day:not(.h0)').count(), 3);
		assert.equal(await page.locator('.favourites img').count(), 1, 'what is hidden is not shown');
	});

	it('is reached from the landing page and says nothing of skill that is not known', async () => {
		await page.goto(`${mock.url}#/p/mara`);
		const first = await onScreen(page);
		await page.keyboard.press('z');
		await onScreen(page, first);
		await sent(page, mock, 1);
		await page.goto(mock.url);
		await page.click('.hero .mine a');
		await page.waitForSelector('.me h1');
		assert.equal(await page.locator('.my-projects .card').count(), 0);
		assert.match(await page.textContent('.me .mine'), /You have given 1 answer\./);
	});

	it('hands everything over as a file', async () => {
		await page.goto(`${mock.url}#/me`);
		const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[download]')]);
		assert.ok('answers' in JSON.parse(await readFile(await download.path(), 'utf8')));
	});

	it('changes the password, of which it asks the old one', async () => {
		await page.goto(mock.url);
		await signUp(page, 'amina', 'a good password');
		await page.click('#account a');
		await page.click('text=Change the password');
		await page.fill('[name=old]', 'a bad password');
		await page.fill('[name=new]', 'a better password');
		await page.click('dialog [type=submit]');
		await page.waitForSelector('.refusal >> text=The password is wrong.');
		await page.fill('[name=old]', 'a good password');
		await page.click('dialog [type=submit]');
		await page.waitForSelector('dialog', { state: 'detached' });
		assert.ok([...mock.volunteers.values()].some((v) => v.name === 'amina' && v.password === 'a better password'));
	});

	it('logs out everywhere and deletes, in words that say which answers go', async () => {
		const asked = [];
		for (const name of ['logout', 'delete'])
			mock.hooks[`before ${name}`] = (body) => void asked.push([name, body]);
		await page.goto(mock.url);
		await signUp(page, 'amina', 'a good password');
		await page.click('#account a');
		await page.click('text=Delete my data');
		await page.click('text=Take them back too');
		await page.fill('dialog [name=password]', 'a good password');
		await page.click('dialog [type=submit]');
		await page.waitForSelector('#account >> text=Log in');
		await page.waitForSelector('.hero');
		await signUp(page, 'brian', 'a good password');
		await page.click('#account a');
		await page.click('text=Log out everywhere');
		await page.waitForSelector('#account >> text=Log in');
		assert.deepEqual(asked, [['delete', { password: 'a good password', answers: 'take' }], ['logout', { everywhere: true }]]);
	});

	it('takes a new password by the administrator’s link, once', async () => {
		mock.hooks['before invite'] = (body) => {
			if (body.token !== 'abc')
				throw mock.refuse(404, 'not found', 'there is no such invitation');
		};
		await page.goto(`${mock.url}#/invite/other`);
		await page.fill('[name=new]', 'a better password');
		await page.click('main [type=submit]');
		await page.waitForSelector('.refusal >> text=This link was used already');
	});
});
