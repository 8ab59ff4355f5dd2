"""Label sets that several systems share, each in its published order."""

from ..types import LabelSet

# Source: CelebA, list_attr_celeba.txt.
CELEBA: tuple[str, ...] = ("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs")
CELEBA += ("Big_Lips", "Big_Nose", "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby")
CELEBA += ("Double_Chin", "Eyeglasses", "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male")
CELEBA += ("Mouth_Slightly_Open", "Mustache", "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose")
CELEBA += ("Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair")
CELEBA += ("Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace", "Wearing_Necktie", "Young")
CELEBA40 = LabelSet("celeba40", CELEBA, apparent=("Male", "Young"))

# Whether each of COFW's 29 landmarks is seen, by its number there, from 1.
VISIBILITY29 = LabelSet("visibility29", tuple(f"cofw_{number:02}" for number in range(1, 30)), phrase="")


def apparent(name: str, labels: tuple[str, ...], phrase: str = "{}") -> LabelSet:
    """A set of race, gender or age, of which one label holds."""
    return LabelSet(name, labels, exclusive=True, apparent=labels, phrase=phrase)
