"use strict";
// Which pictures are shown, and in which order: no access to the page here.

// Score of a picture: its mean IoU, or a class's where one is chosen; null where it has none.
function scoreOf(picture, choice) {
  const scores = picture.scores[choice.training];
  if (!scores) return null;
  const value = choice.label ? scores.classes[choice.label] : scores.mean;
  return value === undefined ? null : value;
}

function isChosen(picture, choice) {
  if (choice.split && picture.split !== choice.split) return false;
  if (choice.text && !picture.name.toLowerCase().includes(choice.text.toLowerCase())) return false;
  if (!choice.label) return true;
  return picture.labels.includes(choice.label) || scoreOf(picture, choice) !== null;
}

// Indices of the chosen pictures. Those without a score come last; equals stay in name order.
function orderOf(pictures, choice) {
  const chosen = pictures.map((_, index) => index).filter((i) => isChosen(pictures[i], choice));
  if (choice.sort === "list") return chosen;
  const byName = (a, b) => (pictures[a].name < pictures[b].name ? -1 :
    pictures[a].name > pictures[b].name ? 1 : a - b);
  if (choice.sort === "name") return chosen.sort(byName);
  const sign = choice.sort === "best" ? -1 : 1;
  return chosen.sort((a, b) => {
    const x = scoreOf(pictures[a], choice), y = scoreOf(pictures[b], choice);
    if (x === null || y === null) return (x === null) - (y === null) || byName(a, b);
    return sign * (x - y) || byName(a, b);
  });
}
