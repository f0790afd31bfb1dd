/** Where the people and companies of the demo org come from: one entry per script or way of writing. Invented addresses. */
export interface Region {
  firstNames: readonly string[];
  lastNames: readonly string[];
  /** The country is given where it is not the region's. */
  cities: readonly (readonly [city: string, state: string | null, latitude: number, longitude: number, country?: string])[];
  streets: readonly string[];
  country: string;
  /** `#` is a digit. */
  postalCode: string;
  phone: string;
  company: readonly string[];
  companyForms: readonly string[];
  /** How often it is drawn. */
  weight: number;
}

const list = (words: string) => words.split('|');

export const regions: readonly Region[] = [
  {
    firstNames: list('James|Mary|Robert|Linda|Michael|Sarah|David|Jessica|Chris|Ashley|Jean-Luc|Mary Ann|DeShawn|Zoë'),
    lastNames: list("Smith|Johnson|Williams|Brown|Jones|O'Brien|McDonald|Smith-Jones|van der Berg|St. John|Null|D'Angelo|Lee|NA"),
    cities: [
      ['Austin', 'TX', 30.267153, -97.743061],
      ['San Francisco', 'CA', 37.774929, -122.419418],
      ['New York', 'NY', 40.712776, -74.005974],
      ["Coeur d'Alene", 'ID', 47.677683, -116.780466],
      ['Winston-Salem', 'NC', 36.09986, -80.244216],
    ],
    streets: list('Main St|Oak Ave, Suite 200|5th Avenue|O\'Connell Blvd|Route 66|Park Pl. "North"|Elm St Apt #4'),
    country: 'USA',
    postalCode: '#####',
    phone: '(###) 555-01##',
    company: list('Acme|Globex|Initech|Umbrella|Hooli|Stark & Sons|Wayne "Dark" Works|Cyberdyne|Soylent|Vandelay'),
    companyForms: list('Inc.|LLC|Corp.|, Ltd.|& Co.|Holdings'),
    weight: 6,
  },
  {
    firstNames: list('Jürgen|Käthe|Björn|Anneliese|Günther|Sören|Heike|Thorsten'),
    lastNames: list('Müller|Schröder|Weiß|Größer|Köhler|Zürn|von Bülow|Müller-Lüdenscheidt'),
    cities: [
      ['München', 'Bayern', 48.135125, 11.581981],
      ['Köln', 'NRW', 50.937531, 6.960279],
      ['Zürich', 'ZH', 47.376887, 8.541694, 'Schweiz'],
    ],
    streets: list('Hauptstraße|Königsallee|Am Großen Graben|Bäckergäßchen'),
    country: 'Deutschland',
    postalCode: '0####',
    phone: '+49 30 23125 ###',
    company: list('Süddeutsche Höchst|Brüder Groß|Lüftungsbau Öhler|Straßen- und Tiefbau'),
    companyForms: list('GmbH|AG|GmbH & Co. KG|e.V.'),
    weight: 3,
  },
  {
    firstNames: list('François|Zoé|José|María|Anaïs|João|Inês|Łukasz|Žofia|Søren|Åsa|Þórður|Đorđe|Ștefan|Ağa'),
    lastNames: list("L'Écuyer|García Márquez|Gonçalves|Wałęsa|Dvořák|Kierkegård|Åström|Guðmundsson|Đurić|Țepeș|Yıldız|Nguyễn"),
    cities: [
      ['Besançon', null, 47.237829, 6.024054],
      ['São Paulo', 'SP', -23.55052, -46.633309, 'Brasil'],
      ['Łódź', null, 51.759445, 19.457216, 'Polska'],
      ['İzmir', null, 38.423734, 27.142826, 'Türkiye'],
      ['Reykjavík', null, 64.146582, -21.942635, 'Ísland'],
      ['Đà Nẵng', null, 16.054407, 108.202164, 'Việt Nam'],
    ],
    streets: list("Rue de l'Église|Avenida 9 de Julho|ulica Świętokrzyska|Náměstí Míru|Nørrebrogade|Çiçek Sokağı"),
    country: 'France',
    postalCode: '##-###',
    phone: '+33 1 99 00 ## ##',
    company: list('Crème & Œuvre|Ação Rápida|Żółta Łódź|Señor Niño|Ångström Mätteknik|Dağ İnşaat'),
    companyForms: list('S.A.|S.à r.l.|Sp. z o.o.|A/S|A.Ş.|Ltda.'),
    weight: 4,
  },
  {
    firstNames: list('Γιώργος|Ελένη|Νίκος|Μαρία|Ὀδυσσεύς'),
    lastNames: list('Παπαδόπουλος|Οικονόμου|Ζαχαρίας|Ιωαννίδης'),
    cities: [
      ['Αθήνα', 'Αττική', 37.98381, 23.727539],
      ['Θεσσαλονίκη', null, 40.640063, 22.944419],
    ],
    streets: list('Οδός Ερμού|Λεωφόρος Συγγρού'),
    country: 'Ελλάδα',
    postalCode: '### ##',
    phone: '+30 210 555 ####',
    company: list('Αιγαίο Ναυτιλία|Ολύμπια Τρόφιμα'),
    companyForms: list('Α.Ε.|Ε.Π.Ε.'),
    weight: 1,
  },
  {
    firstNames: list('Александр|Наталья|Дмитрий|Їлона|Фёдор|Ґалина'),
    lastNames: list('Иванов|Щербакова|Соловьёв|Шевченко|Ющенко'),
    cities: [
      ['Київ', null, 50.4501, 30.5234],
      ['Алматы', null, 43.238949, 76.889709, 'Қазақстан'],
    ],
    streets: list('вулиця Хрещатик|проспект Мира|ул. Объездная'),
    country: 'Україна',
    postalCode: '0####',
    phone: '+380 44 555 ## ##',
    company: list('Северное Сияние|Громада|Съёмка'),
    companyForms: list('ООО|ТОВ|АО «Группа»'),
    weight: 2,
  },
  {
    firstNames: list('محمد|فاطمة|أحمد|نور|עמית|שרה'),
    lastNames: list('الحسن|عبد الله|منصور|כהן|לוי'),
    cities: [
      ['القاهرة', null, 30.04442, 31.235712],
      ['דימונה', null, 31.066667, 35.033333, 'ישראל'],
    ],
    streets: list('شارع النيل|רחוב הרצל|طريق ٢٦ يوليو'),
    country: 'مصر',
    postalCode: '#####',
    phone: '+20 2 5550 ####',
    company: list('شركة النور|الهلال للتجارة'),
    companyForms: list('ش.م.م|בע״מ'),
    weight: 1,
  },
  {
    firstNames: list('伟|秀英|小龙|静|𠮷雄'),
    lastNames: list('王|李|欧阳|司马|諸葛'),
    cities: [
      ['上海市', '上海', 31.230416, 121.473701],
      ['臺北市', null, 25.032969, 121.565418, '台灣'],
    ],
    streets: list('南京东路|人民路，2号楼|中山北路「三段」'),
    country: '中国',
    postalCode: '######',
    phone: '+86 21 5550 ####',
    company: list('华兴科技|大江物流|天虹'),
    companyForms: list('有限公司|股份有限公司'),
    weight: 2,
  },
  {
    firstNames: list('太郎|花子|さくら|ケンジ|翔'),
    lastNames: list('佐藤|鈴木|髙橋|渡邉|斎藤'),
    cities: [
      ['東京都', '千代田区', 35.689487, 139.691706],
      ['大阪市', '大阪府', 34.693738, 135.502165],
    ],
    streets: list('丸の内一丁目|青山通り　三－２'),
    country: '日本',
    postalCode: '###-####',
    phone: '+81 3 5550 ####',
    company: list('さくら工業|ｶﾌﾞｼｷ商会|東亜電機'),
    companyForms: list('株式会社|㈱'),
    weight: 2,
  },
  {
    firstNames: list('민준|서연|지우|하은'),
    lastNames: list('김|이|박|남궁'),
    cities: [['서울특별시', null, 37.566535, 126.977969]],
    streets: list('세종대로|테헤란로'),
    country: '대한민국',
    postalCode: '#####',
    phone: '+82 2 555 ####',
    company: list('한강 산업|동해 물산'),
    companyForms: list('주식회사|㈜'),
    weight: 1,
  },
  {
    firstNames: list('आरव|अनन्या|สมชาย|அருண்'),
    lastNames: list('शर्मा|पटेल|ใจดี|குமார்'),
    cities: [
      ['मुंबई', 'महाराष्ट्र', 19.075984, 72.877656],
      ['กรุงเทพฯ', null, 13.756331, 100.501765, 'ประเทศไทย'],
    ],
    streets: list('महात्मा गांधी मार्ग|ถนนสุขุมวิท'),
    country: 'भारत',
    postalCode: '######',
    phone: '+91 22 5550 ####',
    company: list('हिमालय उद्योग|ไทยรุ่งเรือง'),
    companyForms: list('प्रा. लि.|จำกัด'),
    weight: 1,
  },
];

/** Each region as often as it weighs. */
export const weightedRegions: readonly Region[] = regions.flatMap((region) =>
  Array.from({ length: region.weight }, () => region),
);
