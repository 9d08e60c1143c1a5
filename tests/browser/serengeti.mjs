// A project of 54 kinds, as large as a survey of the Serengeti is: names in four languages, what each looks like, look-alikes,
// pages. The pictures are drawn here; to look at by eye, a folder of photographs named CODE-1.jpg makes a better show.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scene } from './png.mjs';

const LOOKS = {
	like: ['Looks like', { fr: 'Ressemble à', sw: 'Anafanana na', es: 'Se parece a' }, {
		horse: ['Horse', { fr: 'Cheval', sw: 'Farasi', es: 'Caballo' }], cow: ['Cow', { fr: 'Vache', sw: 'Ng’ombe', es: 'Vaca' }],
		antelope: ['Antelope', { fr: 'Antilope', sw: 'Swala', es: 'Antílope' }], cat: ['Cat', { fr: 'Chat', sw: 'Paka', es: 'Gato' }],
		dog: ['Dog', { fr: 'Chien', sw: 'Mbwa', es: 'Perro' }], weasel: ['Weasel', { fr: 'Belette', sw: 'Nguchiro', es: 'Comadreja' }],
		pig: ['Pig', { fr: 'Cochon', sw: 'Nguruwe', es: 'Cerdo' }], primate: ['Primate', { fr: 'Primate', sw: 'Nyani', es: 'Primate' }],
		bird: ['Bird', { fr: 'Oiseau', sw: 'Ndege', es: 'Ave' }], other: ['Something else', { fr: 'Autre', sw: 'Kingine', es: 'Otra cosa' }],
	}],
	pattern: ['Pattern', { fr: 'Motif', sw: 'Mpangilio', es: 'Dibujo' }, {
		stripes: ['Stripes', { fr: 'Rayures', sw: 'Milia', es: 'Rayas' }], bands: ['Bands', { fr: 'Bandes', sw: 'Mikanda', es: 'Bandas' }],
		spots: ['Spots', { fr: 'Taches', sw: 'Madoa', es: 'Manchas' }], solid: ['None', { fr: 'Aucun', sw: 'Hakuna', es: 'Ninguno' }],
	}],
	coat: ['Coat', { fr: 'Pelage', sw: 'Rangi', es: 'Pelaje' }, {
		tan: ['Tan', { fr: 'Fauve', sw: 'Kahawia nyepesi', es: 'Pardo claro' }], red: ['Red-brown', { fr: 'Roux', sw: 'Nyekundu', es: 'Rojizo' }],
		dark: ['Dark', { fr: 'Sombre', sw: 'Nyeusi', es: 'Oscuro' }], grey: ['Grey', { fr: 'Gris', sw: 'Kijivu', es: 'Gris' }],
		white: ['White', { fr: 'Blanc', sw: 'Nyeupe', es: 'Blanco' }],
	}],
	horns: ['Horns', { fr: 'Cornes', sw: 'Pembe', es: 'Cuernos' }, {
		none: ['None', { fr: 'Aucune', sw: 'Hakuna', es: 'Ninguno' }], straight: ['Straight', { fr: 'Droites', sw: 'Zilizonyooka', es: 'Rectos' }],
		curved: ['Curved', { fr: 'Courbes', sw: 'Zilizopinda', es: 'Curvos' }], spiral: ['Spiral', { fr: 'Spirale', sw: 'Zilizosokota', es: 'Espiral' }],
	}],
	build: ['Build', { fr: 'Stature', sw: 'Umbo', es: 'Cuerpo' }, {
		large: ['Large', { fr: 'Grande', sw: 'Kubwa', es: 'Grande' }], lanky: ['Lanky', { fr: 'Élancée', sw: 'Refu', es: 'Esbelto' }],
		stocky: ['Stocky', { fr: 'Trapue', sw: 'Nene', es: 'Robusto' }], small: ['Small', { fr: 'Petite', sw: 'Ndogo', es: 'Pequeño' }],
	}],
};

// code | name | scientific | fr | sw | es | like pattern coat horns build (several by +)
const ROWS = `
aardvark|Aardvark|Orycteropus afer|Oryctérope|Muhanga|Cerdo hormiguero|pig+other solid tan+grey none stocky
aardwolf|Aardwolf|Proteles cristata|Protèle|Fisi mdogo|Lobo de tierra|dog stripes+bands tan none small
baboon|Olive baboon|Papio anubis|Babouin olive|Nyani|Papión oliva|primate solid tan+dark none stocky
bat|Bat|Chiroptera|Chauve-souris|Popo|Murciélago|other solid dark none small
bat-eared-fox|Bat-eared fox|Otocyon megalotis|Otocyon|Bweha masikio|Zorro orejudo|dog solid tan+grey none small
buffalo|African buffalo|Syncerus caffer|Buffle d’Afrique|Nyati|Búfalo cafre|cow solid dark curved large
bushbuck|Bushbuck|Tragelaphus sylvaticus|Guib harnaché|Pongo|Antílope jeroglífico|antelope spots+bands red spiral lanky
caracal|Caracal|Caracal caracal|Caracal|Simbamangu|Caracal|cat solid tan+red none small
cattle|Cattle|Bos taurus|Bétail|Ng’ombe|Ganado|cow solid+spots tan+red+dark+white curved+none large
cheetah|Cheetah|Acinonyx jubatus|Guépard|Duma|Guepardo|cat spots tan none lanky
civet|African civet|Civettictis civetta|Civette d’Afrique|Fungo|Civeta africana|cat+weasel spots+bands grey+dark none small
dik-dik|Kirk’s dik-dik|Madoqua kirkii|Dik-dik de Kirk|Digidigi|Dicdic de Kirk|antelope solid tan+grey straight+none small
duiker|Common duiker|Sylvicapra grimmia|Céphalophe de Grimm|Nsya|Duiker común|antelope solid tan+grey straight+none small
eland|Common eland|Taurotragus oryx|Éland du Cap|Pofu|Eland común|antelope+cow bands+solid tan spiral large
elephant|African elephant|Loxodonta africana|Éléphant d’Afrique|Tembo|Elefante africano|other solid grey none large
gazelle-grants|Grant’s gazelle|Nanger granti|Gazelle de Grant|Swala granti|Gacela de Grant|antelope solid tan curved lanky
gazelle-thomsons|Thomson’s gazelle|Eudorcas thomsonii|Gazelle de Thomson|Swala tomi|Gacela de Thomson|antelope bands tan curved lanky+small
genet|Genet|Genetta|Genette|Kanu|Gineta|cat+weasel spots+bands grey+tan none small
giraffe|Giraffe|Giraffa camelopardalis|Girafe|Twiga|Jirafa|other spots tan none+straight large+lanky
guinea-fowl|Helmeted guineafowl|Numida meleagris|Pintade de Numidie|Kanga|Gallina de Guinea|bird spots grey+dark none small
hare|Hare|Lepus|Lièvre|Sungura|Liebre|other solid tan+grey none small
hartebeest|Hartebeest|Alcelaphus buselaphus|Bubale|Kongoni|Alcélafo|antelope solid tan+red curved lanky
hippopotamus|Hippopotamus|Hippopotamus amphibius|Hippopotame|Kiboko|Hipopótamo|pig+cow solid grey none large
honey-badger|Honey badger|Mellivora capensis|Ratel|Nyegere|Ratel|weasel bands dark+white none small
human|Human||Humain|Binadamu|Humano|
hyena-spotted|Spotted hyena|Crocuta crocuta|Hyène tachetée|Fisi madoa|Hiena manchada|dog spots tan+grey none stocky
hyena-striped|Striped hyena|Hyaena hyaena|Hyène rayée|Fisi miraba|Hiena rayada|dog stripes grey none stocky
impala|Impala|Aepyceros melampus|Impala|Swala pala|Impala|antelope solid red+tan curved lanky
insect-spider|Insect or spider|Arthropoda|Insecte ou araignée|Mdudu|Insecto o araña|other solid dark none small
jackal|Jackal|Lupulella|Chacal|Bweha|Chacal|dog solid tan+grey none small
kori-bustard|Kori bustard|Ardeotis kori|Outarde kori|Tandawala|Avutarda kori|bird solid grey+tan none lanky
leopard|Leopard|Panthera pardus|Léopard|Chui|Leopardo|cat spots tan none stocky
lion-female|Lion, female or cub|Panthera leo|Lionne|Simba jike|Leona|cat solid tan none large
lion-male|Lion, male|Panthera leo|Lion mâle|Simba dume|León macho|cat solid tan+dark none large
mongoose|Mongoose|Herpestidae|Mangouste|Nguchiro|Mangosta|weasel bands+solid tan+grey+dark none small
ostrich|Ostrich|Struthio camelus|Autruche|Mbuni|Avestruz|bird solid dark+grey+white none large+lanky
other-bird|Other bird|Aves|Autre oiseau|Ndege mwingine|Otra ave|bird solid tan+dark+grey+white none small
porcupine|Crested porcupine|Hystrix cristata|Porc-épic|Nungunungu|Puercoespín|other bands dark+white none stocky+small
reedbuck|Bohor reedbuck|Redunca redunca|Cobe des roseaux|Tohe|Redunca bohor|antelope solid tan curved+none lanky
reptiles|Reptile|Reptilia|Reptile|Mtambaazi|Reptil|other solid+spots grey+dark none small
rhinoceros|Black rhinoceros|Diceros bicornis|Rhinocéros noir|Kifaru|Rinoceronte negro|other solid grey straight+curved large
rodents|Rodent|Rodentia|Rongeur|Panya|Roedor|other solid tan+grey none small
secretary-bird|Secretarybird|Sagittarius serpentarius|Messager sagittaire|Karani|Secretario|bird solid grey+white+dark none lanky
serval|Serval|Leptailurus serval|Serval|Mondo|Serval|cat spots+bands tan none lanky+small
steenbok|Steenbok|Raphicerus campestris|Raphicère champêtre|Dondoro|Raficero común|antelope solid red+tan straight+none small
topi|Topi|Damaliscus lunatus|Topi|Nyamera|Topi|antelope solid red+dark curved lanky
vervet-monkey|Vervet monkey|Chlorocebus pygerythrus|Vervet|Tumbili|Cercopiteco verde|primate solid grey none small
vulture|Vulture|Accipitridae|Vautour|Tai|Buitre|bird solid dark+tan none stocky
warthog|Common warthog|Phacochoerus africanus|Phacochère|Ngiri|Facóquero|pig solid grey+dark none stocky
waterbuck|Waterbuck|Kobus ellipsiprymnus|Cobe à croissant|Kuro|Cobo de agua|antelope solid grey+dark curved+none stocky
wildcat|African wildcat|Felis lybica|Chat sauvage|Paka pori|Gato salvaje|cat bands+solid grey+tan none small
wildebeest|Blue wildebeest|Connochaetes taurinus|Gnou bleu|Nyumbu|Ñu azul|cow+antelope bands+solid grey+dark curved large
zebra|Plains zebra|Equus quagga|Zèbre des plaines|Punda milia|Cebra común|horse stripes white+dark none stocky
zorilla|Zorilla|Ictonyx striatus|Zorille|Kicheche|Zorilla|weasel stripes dark+white none small`.trim().split('\n').map((row) => row.split('|'));

/** What the project tells of itself beside the mock's own fields, the bytes of its files and its pages. @param {string} [photos] folder */
export function serengeti(photos) {
	const files = new Map();
	const code_id = new Map(ROWS.map(([code], i) => [code, 12 + i]));
	const keep = (bytes, ext) => {
		const name = `${createHash('sha256').update(bytes).digest('hex')}.${ext}`;
		files.set(name, bytes);
		return `/api/projects/mara/files/${name}`;
	};
	const taxa = ROWS.map(([code, common_name, scientific_name, fr, sw, es, look], i) => {
		const photo = photos && join(photos, `${code}-1.jpg`);
		const ids = Object.keys(LOOKS);
		return {
			id: 12 + i, code, kind: code === 'human' ? 'human' : 'animal', common_name, scientific_name, names: { fr, sw, es },
			hotkey: { zebra: 'z', wildebeest: 'w', topi: 't' }[code] ?? '',
			picture: photo && existsSync(photo) ? keep(readFileSync(photo), 'jpg') : keep(scene(i, 120, 80), 'png'),
			...(look && { looks: Object.fromEntries(look.split(' ').map((values, k) => [ids[k], values.split('+')])) }),
		};
	});
	taxa.unshift({ id: 11, code: 'blank', kind: 'blank', common_name: 'Nothing here', scientific_name: '', names: { fr: 'Rien ici', sw: 'Hakuna kitu', es: 'Nada aquí' }, hotkey: '' });
	const picture = (code) => taxa.find((taxon) => taxon.code === code).picture;
	const pages = new Map([
		['guide', { '': '# Field guide\n\nThe Serengeti in **54 kinds**.\n\n- Look at the *horns* first.\n- Then at the coat.\n\n[Where it is](https://example.org/serengeti)', sw: '# Mwongozo\n\nSerengeti kwa **aina 54**.' }],
		['tutorial', { '': '# How it goes\n\n1. Look at every picture of the burst.\n2. Say what you see.\n\nNot sure? *Can’t tell* is an answer too.' }],
		['guide/zebra', { '': `# Plains zebra\n\nBlack and white stripes that meet under the belly.\n\n![A zebra](${picture('zebra')})` }],
		['guide/topi', { '': '# Topi\n\nA red coat with **dark patches** on the thighs, as if it wore blue jeans and yellow socks.' }],
	]);
	return {
		files, pages, taxa,
		titles: { fr: 'Le triangle du Mara', sw: 'Pembetatu ya Mara', es: 'El triángulo del Mara' },
		descriptions: { fr: 'Douze pièges photo le long de la rivière.', sw: 'Kamera kumi na mbili kando ya mto.', es: 'Doce cámaras a lo largo del río.' },
		looks: Object.entries(LOOKS).map(([id, [name, names, values]]) => ({
			id, name, names, values: Object.entries(values).map(([value, [text, texts]]) => ({ id: value, name: text, names: texts })),
		})),
		confusions: [
			{ taxa: [code_id.get('topi'), code_id.get('hartebeest')], text: 'A topi has **dark patches** on its thighs; a hartebeest is one tan colour, with a longer face.', texts: { fr: 'Le topi a des **taches sombres** sur les cuisses.' } },
			{ taxa: [code_id.get('gazelle-grants'), code_id.get('gazelle-thomsons')], text: 'The *white rump* of a Grant’s gazelle reaches above its tail; a Thomson’s has a **black band** along its side.', texts: {} },
			{ taxa: [code_id.get('topi'), code_id.get('impala')], text: 'An impala is smaller, and its horns are shaped like a lyre.', texts: {} },
		],
	};
}
