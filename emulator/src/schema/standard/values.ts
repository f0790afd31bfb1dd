/** Picklist values that several objects share, in the notation of `picklist`. */

export const salutations = 'Mr.|Ms.|Mrs.|Dr.|Prof.';
export const ratings = 'Hot|Warm|Cold';
export const sources = 'Web|Phone Inquiry|Partner Referral|Purchased List|Other';
export const cleanStatuses =
  'Matched=In Sync|Different|Acknowledged=Reviewed|NotFound=Not Found|Inactive|Pending=Not Compared|SelectMatch=Select Match|Skipped';
export const industries =
  'Agriculture|Apparel|Banking|Biotechnology|Chemicals|Communications|Construction|Consulting|Education|Electronics|Energy|' +
  'Engineering|Entertainment|Environmental|Finance|Food & Beverage|Government|Healthcare|Hospitality|Insurance|Machinery|' +
  'Manufacturing|Media|Not For Profit|Recreation|Retail|Shipping|Technology|Telecommunications|Transportation|Utilities|Other';
export const userTypes =
  'Standard|PowerPartner=Partner|PowerCustomerSuccess=Customer Portal Manager|CustomerSuccess=Customer Portal User|Guest|' +
  'CspLitePortal=High Volume Portal|CsnOnly=Chatter Free|SelfService=Self Service';
export const languages =
  'en_US=English|de=German|es=Spanish|fr=French|it=Italian|ja=Japanese|sv=Swedish|ko=Korean|zh_TW=Chinese (Traditional)|' +
  'zh_CN=Chinese (Simplified)|pt_BR=Portuguese (Brazil)|nl_NL=Dutch|da=Danish|th=Thai|fi=Finnish|ru=Russian|es_MX=Spanish (Mexico)|' +
  'no=Norwegian';
export const locales =
  'ar_EG=Arabic (Egypt)|zh_CN=Chinese (China)|da_DK=Danish (Denmark)|nl_NL=Dutch (Netherlands)|en_AU=English (Australia)|' +
  'en_CA=English (Canada)|en_GB=English (United Kingdom)|en_US=English (United States)|fr_FR=French (France)|' +
  'de_DE=German (Germany)|el_GR=Greek (Greece)|hi_IN=Hindi (India)|it_IT=Italian (Italy)|ja_JP=Japanese (Japan)|' +
  'ko_KR=Korean (South Korea)|pl_PL=Polish (Poland)|pt_BR=Portuguese (Brazil)|ru_RU=Russian (Russia)|es_ES=Spanish (Spain)|' +
  'sv_SE=Swedish (Sweden)|tr_TR=Turkish (Türkiye)';
/** A few of some four hundred: enough to read and set a user. */
export const timeZones = [
  'Pacific/Auckland|Australia/Sydney|Asia/Tokyo|Asia/Seoul|Asia/Shanghai|Asia/Singapore|Asia/Kolkata|Asia/Dubai',
  'Europe/Moscow|Europe/Athens|Europe/Berlin|Europe/Paris|Europe/Madrid|Europe/London|GMT|America/Sao_Paulo',
  'America/Argentina/Buenos_Aires|America/New_York|America/Chicago|America/Denver|America/Los_Angeles|Pacific/Honolulu',
].join('|');
