export { MAX_URL_LENGTH, type RefusalCode } from './address.js';
export { contentKeyOf, parseContentKey, reportIdOf, takedownIdOf, type ContentKey } from './content-key.js';
export { identify, identifySearchResult, isIdentified, type Identified, type Refused } from './identify.js';
export { isKindOf, isPlatform, isProduct, platformOf, platforms, products, SHORT_LINK_HOSTS, type Kind, type Platform, type Product } from './products.js';
