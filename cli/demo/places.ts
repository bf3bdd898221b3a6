// Where the demo's people live: names as they are written there and on a card, cities with their place on the map, and
// addresses in the habit of the country. Invented people at streets that exist.

import type { Chance } from './chance.ts';

/** A name as it is written and as it is embossed. */
type Name = readonly [written: string, latin: string];

interface City {
  readonly name: string;
  readonly region?: string;
  readonly lat: number;
  readonly lon: number;
  readonly streets: readonly string[];
}

export interface Country {
  readonly code: string;
  readonly locale: string;
  readonly timeZone: string;
  readonly currency: string;
  readonly phonePrefix: string;
  readonly paymentSystems: readonly ('mir' | 'visa' | 'mastercard' | 'unionpay')[];
  readonly given: readonly Name[];
  readonly family: readonly Name[];
  readonly postalCode: (chance: Chance) => string;
  readonly cities: readonly City[];
}

const digits =
  (count: number, first = '') =>
  (chance: Chance): string =>
    first + chance.digits(count - first.length);

export const countries: readonly Country[] = [
  {
    code: 'DE',
    locale: 'de-DE',
    timeZone: 'Europe/Berlin',
    currency: 'EUR',
    phonePrefix: '+4915',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['Jürgen', 'JUERGEN'],
      ['Anneliese', 'ANNELIESE'],
      ['Käthe', 'KAETHE'],
      ['Emre', 'EMRE'],
      ['Sören', 'SOEREN'],
    ],
    family: [
      ['Müller-Lüdenscheidt', 'MUELLER'],
      ['Weiß', 'WEISS'],
      ['Schröder', 'SCHROEDER'],
      ['Yılmaz', 'YILMAZ'],
    ],
    postalCode: digits(5, '1'),
    cities: [
      { name: 'Berlin', lat: 52.5163, lon: 13.3777, streets: ['Straße des 17. Juni', 'Kantstraße', 'Torstraße'] },
      { name: 'München', region: 'Bayern', lat: 48.1372, lon: 11.5756, streets: ['Sendlinger Straße', 'Türkenstraße'] },
    ],
  },
  {
    code: 'FR',
    locale: 'fr-FR',
    timeZone: 'Europe/Paris',
    currency: 'EUR',
    phonePrefix: '+336',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['Éloïse', 'ELOISE'],
      ['François', 'FRANCOIS'],
      ['Aïcha', 'AICHA'],
      ['Benoît', 'BENOIT'],
    ],
    family: [
      ["d'Aubigné", "D'AUBIGNE"],
      ['Lefèvre', 'LEFEVRE'],
      ['Nguyễn', 'NGUYEN'],
      ['Garçon', 'GARCON'],
    ],
    postalCode: digits(5, '75'),
    cities: [
      {
        name: 'Paris',
        lat: 48.8566,
        lon: 2.3522,
        streets: ['Rue de l’Échiquier', 'Boulevard Voltaire', 'Rue Mouffetard'],
      },
    ],
  },
  {
    code: 'PL',
    locale: 'pl-PL',
    timeZone: 'Europe/Warsaw',
    currency: 'PLN',
    phonePrefix: '+4860',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['Żaneta', 'ZANETA'],
      ['Łukasz', 'LUKASZ'],
      ['Małgorzata', 'MALGORZATA'],
      ['Świętosław', 'SWIETOSLAW'],
    ],
    family: [
      ['Brzęczyszczykiewicz', 'BRZECZYSZCZYKIEWICZ'],
      ['Wójcik', 'WOJCIK'],
      ['Dąbrowska', 'DABROWSKA'],
    ],
    postalCode: (chance) => `00-${chance.digits(3)}`,
    cities: [{ name: 'Łódź', lat: 51.7592, lon: 19.456, streets: ['Piotrkowska', 'Księży Młyn'] }],
  },
  {
    code: 'RU',
    locale: 'ru-RU',
    timeZone: 'Europe/Moscow',
    currency: 'RUB',
    phonePrefix: '+7916',
    paymentSystems: ['mir', 'unionpay'],
    given: [
      ['Анна', 'ANNA'],
      ['Пётр', 'PETR'],
      ['Людмила', 'LIUDMILA'],
      ['Ильдар', 'ILDAR'],
      ['Ксения', 'KSENIIA'],
    ],
    family: [
      ['Щукина', 'SHCHUKINA'],
      ['Соловьёв', 'SOLOVEV'],
      ['Хабибуллин', 'KHABIBULLIN'],
      ['Римский-Корсаков', 'RIMSKII-KORSAKOV'],
    ],
    postalCode: digits(6, '1'),
    cities: [
      {
        name: 'Москва',
        lat: 55.7558,
        lon: 37.6173,
        streets: ['ул. Большая Ордынка', 'Ленинградский проспект', 'Сивцев Вражек'],
      },
      {
        name: 'Казань',
        region: 'Республика Татарстан',
        lat: 55.7963,
        lon: 49.1088,
        streets: ['ул. Баумана', 'ул. Кремлёвская'],
      },
    ],
  },
  {
    code: 'BG',
    locale: 'bg-BG',
    timeZone: 'Europe/Sofia',
    currency: 'EUR',
    phonePrefix: '+35988',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['Живко', 'ZHIVKO'],
      ['Цветана', 'TSVETANA'],
      ['Йордан', 'YORDAN'],
    ],
    family: [
      ['Стоичков', 'STOICHKOV'],
      ['Първанова', 'PARVANOVA'],
      ['Джамбазов', 'DZHAMBAZOV'],
    ],
    postalCode: digits(4, '1'),
    cities: [{ name: 'София', lat: 42.6977, lon: 23.3219, streets: ['бул. Витоша', 'ул. Граф Игнатиев'] }],
  },
  {
    code: 'GR',
    locale: 'el-GR',
    timeZone: 'Europe/Athens',
    currency: 'EUR',
    phonePrefix: '+3069',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['Ελένη', 'ELENI'],
      ['Γιώργος', 'GIORGOS'],
      ['Αλέξανδρος', 'ALEXANDROS'],
      ['Χρυσούλα', 'CHRYSOULA'],
    ],
    family: [
      ['Παπαδόπουλος', 'PAPADOPOULOS'],
      ['Ευαγγελίδου', 'EVANGELIDOU'],
      ['Ξενάκης', 'XENAKIS'],
    ],
    postalCode: digits(5, '11'),
    cities: [
      { name: 'Αθήνα', lat: 37.9838, lon: 23.7275, streets: ['Ερμού', 'Λεωφόρος Βασιλίσσης Σοφίας', 'Αδριανού'] },
      { name: 'Θεσσαλονίκη', lat: 40.6401, lon: 22.9444, streets: ['Τσιμισκή', 'Εγνατία'] },
    ],
  },
  {
    code: 'AE',
    locale: 'ar-AE',
    timeZone: 'Asia/Dubai',
    currency: 'AED',
    phonePrefix: '+97150',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['محمد', 'MOHAMMED'],
      ['فاطمة', 'FATIMA'],
      ['عبد الرحمن', 'ABDULRAHMAN'],
      ['ليلى', 'LAYLA'],
    ],
    family: [
      ['المنصوري', 'AL MANSOORI'],
      ['الهاشمي', 'AL HASHIMI'],
      ['بن زايد', 'BIN ZAYED'],
    ],
    postalCode: () => '00000',
    cities: [
      { name: 'دبي', lat: 25.2048, lon: 55.2708, streets: ['شارع الشيخ زايد', 'شارع المكتوم'] },
      { name: 'أبوظبي', lat: 24.4539, lon: 54.3773, streets: ['شارع الكورنيش', 'شارع حمدان'] },
    ],
  },
  {
    code: 'CN',
    locale: 'zh-CN',
    timeZone: 'Asia/Shanghai',
    currency: 'CNY',
    phonePrefix: '+86138',
    paymentSystems: ['unionpay'],
    given: [
      ['小明', 'XIAOMING'],
      ['丽华', 'LIHUA'],
      ['建国', 'JIANGUO'],
      ['思思', 'SISI'],
    ],
    family: [
      ['王', 'WANG'],
      ['欧阳', 'OUYANG'],
      ['张', 'ZHANG'],
      ['吕', 'LYU'],
    ],
    postalCode: digits(6, '2'),
    cities: [
      { name: '上海市', region: '上海市', lat: 31.2304, lon: 121.4737, streets: ['南京东路', '淮海中路'] },
      { name: '北京市', region: '北京市', lat: 39.9042, lon: 116.4074, streets: ['东长安街', '王府井大街'] },
    ],
  },
  {
    code: 'JP',
    locale: 'ja-JP',
    timeZone: 'Asia/Tokyo',
    currency: 'JPY',
    phonePrefix: '+8190',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['さくら', 'SAKURA'],
      ['健太郎', 'KENTARO'],
      ['エリカ', 'ERIKA'],
    ],
    family: [
      ['渡邉', 'WATANABE'],
      ['佐々木', 'SASAKI'],
      ['髙橋', 'TAKAHASHI'],
    ],
    postalCode: (chance) => `1${chance.digits(2)}-${chance.digits(4)}`,
    cities: [{ name: '東京都渋谷区', lat: 35.6595, lon: 139.7005, streets: ['神宮前', '道玄坂'] }],
  },
  {
    code: 'KR',
    locale: 'ko-KR',
    timeZone: 'Asia/Seoul',
    currency: 'KRW',
    phonePrefix: '+8210',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['지우', 'JIWOO'],
      ['서연', 'SEOYEON'],
      ['민준', 'MINJUN'],
    ],
    family: [
      ['김', 'KIM'],
      ['이', 'LEE'],
      ['박', 'PARK'],
    ],
    postalCode: digits(5, '0'),
    cities: [{ name: '서울특별시', lat: 37.5665, lon: 126.978, streets: ['세종대로', '강남대로'] }],
  },
  {
    code: 'IN',
    locale: 'hi-IN',
    timeZone: 'Asia/Kolkata',
    currency: 'INR',
    phonePrefix: '+9198',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['प्रिया', 'PRIYA'],
      ['अर्जुन', 'ARJUN'],
      ['लक्ष्मी', 'LAKSHMI'],
    ],
    family: [
      ['शर्मा', 'SHARMA'],
      ['कृष्णमूर्ति', 'KRISHNAMURTHY'],
      ['सिंह', 'SINGH'],
    ],
    postalCode: digits(6, '1'),
    cities: [{ name: 'नई दिल्ली', lat: 28.6139, lon: 77.209, streets: ['जनपथ', 'चाँदनी चौक'] }],
  },
  {
    code: 'GE',
    locale: 'ka-GE',
    timeZone: 'Asia/Tbilisi',
    currency: 'GEL',
    phonePrefix: '+9955',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['ნინო', 'NINO'],
      ['გიორგი', 'GIORGI'],
      ['თამარ', 'TAMAR'],
    ],
    family: [
      ['ბერიძე', 'BERIDZE'],
      ['კვარაცხელია', 'KVARATSKHELIA'],
    ],
    postalCode: digits(4, '0'),
    cities: [{ name: 'თბილისი', lat: 41.7151, lon: 44.8271, streets: ['რუსთაველის გამზირი', 'აღმაშენებლის გამზირი'] }],
  },
  {
    code: 'IL',
    locale: 'he-IL',
    timeZone: 'Asia/Jerusalem',
    currency: 'ILS',
    phonePrefix: '+97254',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['יעל', 'YAEL'],
      ['אברהם', 'AVRAHAM'],
      ['נועה', 'NOA'],
    ],
    family: [
      ['כהן', 'COHEN'],
      ['בן דוד', 'BEN DAVID'],
      ['לוי', 'LEVI'],
    ],
    postalCode: digits(7, '6'),
    cities: [{ name: 'תל אביב-יפו', lat: 32.0853, lon: 34.7818, streets: ['רחוב דיזנגוף', 'שדרות רוטשילד'] }],
  },
  {
    code: 'BR',
    locale: 'pt-BR',
    timeZone: 'America/Sao_Paulo',
    currency: 'BRL',
    phonePrefix: '+55119',
    paymentSystems: ['visa', 'mastercard'],
    given: [
      ['João', 'JOAO'],
      ['Conceição', 'CONCEICAO'],
      ['Thaís', 'THAIS'],
    ],
    family: [
      ['Araújo', 'ARAUJO'],
      ['dos Santos', 'DOS SANTOS'],
      ['Guimarães', 'GUIMARAES'],
    ],
    postalCode: (chance) => `01${chance.digits(3)}-${chance.digits(3)}`,
    cities: [
      { name: 'São Paulo', region: 'SP', lat: -23.5505, lon: -46.6333, streets: ['Avenida Paulista', 'Rua Conceição'] },
    ],
  },
];
