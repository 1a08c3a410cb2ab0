/** How Japanese sounds, so that a search in kana or in Latin letters finds what is written in kanji. */

/** The kanji in the titles, categories and search words of nodes, each with its reading. */
const READINGS = `
画像がぞう 潜在せんざい 条件じょうけん 条件付じょうけんづ 上級じょうきゅう 込こ 読よ 用よう 保存ほぞん 取と
文字もじ 文字列もじれつ 部分ぶぶん 反転はんてん 合成ごうせい 拡大かくだい 縮小しゅくしょう 付つ 切き
変形へんけい 注意ちゅうい 出だ 分割ぶんかつ 変換へんかん 調整ちょうせい 指定してい 算ざん 貼は 後処理あとしょり
範囲はんい 強つよ 足た 繰く 返かえ 表示ひょうじ 合あ 画質がしつ 高解像度こうかいぞうど 置換ちかん 設定せってい
加算かさん 差分さぶん 回転かいてん 適用てきよう 方式ほうしき 予測よそく 追加ついか 結合けつごう 連結れんけつ
混ま 出力しゅつりょく 入力にゅうりょく 色いろ 学習がくしゅう 領域りょういき 空から 描か 動画どうが
実験じっけん 埋う 連続れんぞく 選えら 複製ふくせい 分わ 直なお 鮮明せんめい 加くわ 膨張ぼうちょう
輪郭りんかく 線画せんが 値あたい 組く 自己じこ 拡散かくさん 整数せいすう 数かず 二値化にちか
超解像ちょうかいぞう 空白くうはく 正規せいき 表現ひょうげん 非推奨ひすいしょう 構図こうず 割合わりあい 引ひ
掛か 補間ほかん 単純たんじゅん 減算げんさん 高速こうそく 化か 抽出ちゅうしゅつ 大おお 詳細しょうさい
倍率ばいりつ 長辺ちょうへん 透明とうめい 鏡かがみ 並なら 余白よはく 飽和ほうわ 色飽和いろほうわ 基本きほん
単色たんしょく 減色げんしょく 種類しゅるい 画風がふう 配置はいち 位置いち 離散りさん 扱あつか 粒子りゅうし
収縮しゅうしゅく 検出けんしゅつ 前処理まえしょり 確認かくにん 平均へいきん 写真しゃしん 結果けっか
摂動せつどう 編集へんしゅう 指示しじ 数値すうち 小数しょうすう 複数ふくすう 行ぎょう 真偽値しんぎち
一様いちよう 塗ぬ 縁ふち 広ひろ 拡張かくちょう 使用しよう 再さい 長なが 文字数もじすう 除のぞ 重かさ 差さ
乗算じょうざん 深度しんど 書か 比較ひかく 格子こうし 総画素数そうがそすう 分離ぶんり 送信そうしん 指数しすう
多項たこう 最終さいしゅう 層そう 接線せっせん 減衰げんすい 周波数しゅうはすう 別べつ 細部さいぶ
専用せんよう 二重にじゅう 絵え 調ちょう 幅はば 高たか 働はたら 時期じき 開始かいし 終了しゅうりょう
交差こうさ 旧きゅう 最初さいしょ 中間ちゅうかん 進すす 具合ぐあい 求もと 統合とうごう 型がた 分布ぶんぷ
階層かいそう 途中とちゅう 経過けいか
`;

const KANJI = "[\\u4e00-\\u9fff々]+";

const readings: ReadonlyMap<string, string> = new Map(
  [...READINGS.matchAll(new RegExp(`(${KANJI})(\\S+)`, "g"))].map(([, kanji, kana]) => [
    kanji ?? "",
    kana ?? "",
  ]),
);
const longest = Math.max(...[...readings.keys()].map((kanji) => kanji.length));

/** A text with its kanji read; those that nobody knows here stay. */
export function read(text: string): string {
  let said = "";
  for (let at = 0; at < text.length; ) {
    let length = longest;
    while (length > 1 && !readings.has(text.slice(at, at + length))) length -= 1;
    const part = text.slice(at, at + length);
    said += readings.get(part) ?? part;
    at += length;
  }
  return said;
}

const ROWS: Readonly<Record<string, string>> = {
  "": "あいうえお",
  k: "かきくけこ",
  s: "さしすせそ",
  t: "たちつてと",
  n: "なにぬねの",
  h: "はひふへほ",
  m: "まみむめも",
  y: "や ゆ よ",
  r: "らりるれろ",
  w: "わゐ ゑを",
  g: "がぎぐげご",
  z: "ざじずぜぞ",
  d: "だぢづでど",
  b: "ばびぶべぼ",
  p: "ぱぴぷぺぽ",
  v: "  ゔ  ",
  // Small ones join what stands before them; "<" marks where.
  "<": "ぁぃぅぇぉ",
  "<y": "ゃ ゅ ょ",
};

const letters: ReadonlyMap<string, string> = new Map([
  ...Object.entries(ROWS).flatMap(([consonant, row]) =>
    [...row].map((kana, at): [string, string] => [kana, consonant + "aiueo"[at]]),
  ),
  ["ん", "n"],
  ["ー", ""],
  ["っ", ""],
]);

/**
 * A text in Latin letters as it sounds, the same for kana and each way to spell them: がぞう, ガゾウ,
 * gazou and gazō. ``text`` is in lower case and hiragana, its kanji read.
 */
export function sound(text: string): string {
  const spelled = [...text].map((letter) => letters.get(letter) ?? letter).join("");
  return spelled
    .normalize("NFD")
    .replace(/[\u0300-\u036f']/g, "")
    .replace(/i<e/g, "ye")
    .replace(/i<y/g, "y")
    .replace(/[ueo]<(?=[aiueoy])/g, "")
    .replaceAll("<", "")
    .replace(/shi/g, "si")
    .replace(/chi/g, "ti")
    .replace(/tsu/g, "tu")
    .replace(/ji/g, "zi")
    .replace(/sh/g, "sy")
    .replace(/ch/g, "ty")
    .replace(/jy?(?=[aueo])/g, "zy")
    .replace(/f/g, "h")
    .replace(/du/g, "zu")
    .replace(/m(?=[bpm])/g, "n")
    .replace(/ou/g, "o")
    .replace(/([a-z])\1/g, "$1");
}
